//! `gramask pull`.

use super::{CliError, DONE, bars};
use crate::pull::catalogue::CATALOGUE;
use crate::pull::{self, Cache, Model};

/// Brings a model or vocabulary to the cache and prints where it lies, or lists the short names.
pub(super) fn pull(args: super::PullArgs) -> Result<u8, CliError> {
    let cache = Cache::from_env()?;
    let Some(name) = args.model else {
        anstream::eprintln!("short names (ORGANISATION/NAME takes any other model from the hub):");
        for entry in CATALOGUE {
            let here = matches!(Model::find(entry.name, &cache), Ok(Some(_)));
            anstream::println!("{:24} {}{}", entry.name, entry.about, if here { ", in the cache" } else { "" });
        }
        return Ok(DONE);
    };
    let found = Model::find(&name, &cache)?;
    // Fixed bytes that are there need no second download; a branch of the hub may have moved on.
    let model = match found {
        Some(model) if model.expected.is_some() => model,
        _ => {
            let bar = bars::bytes();
            let model = pull::pull(&name, &cache, &bar);
            bar.finish_and_clear();
            model?
        }
    };
    let digest = model.digest()?;
    anstream::println!("{}", model.path.display());
    anstream::eprintln!("SHA-256 {digest}");
    Ok(DONE)
}
