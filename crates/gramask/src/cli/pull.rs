//! `gramask pull`.

use clap::Args;

use super::shared::bars;
use super::{CliError, DONE};
use crate::pull::catalogue::CATALOGUE;
use crate::pull::{self, Cache, Model};

pub(super) const HELP: &str = "\
The cache is $GRAMASK_CACHE, or the folder `gramask` in the user's cache folder. Files of the hub are checked by their SHA-256.
HF_ENDPOINT names a mirror of the hub, HF_TOKEN the token for gated models. An interrupted download continues where it
stopped. `gramask run` and `gramask decode` pull what they need.";

#[derive(Debug, Args)]
pub(super) struct PullArgs {
    /// A short name, ORGANISATION/NAME[@REVISION] or ORGANISATION/NAME/FILE.gguf; without it, lists the short names
    model: Option<String>,
}

/// Downloads a model or vocabulary to the cache and prints its path, or lists the short names.
pub(super) fn pull(args: PullArgs) -> Result<u8, CliError> {
    let cache = Cache::from_env()?;
    let Some(name) = args.model else {
        anstream::eprintln!("short names (for any other model of the hub, give ORGANISATION/NAME):");
        for entry in CATALOGUE {
            let here = matches!(Model::find(entry.name, &cache), Ok(Some(_)));
            anstream::println!("{:24} {}{}", entry.name, entry.about, if here { ", in the cache" } else { "" });
        }
        return Ok(DONE);
    };
    let found = Model::find(&name, &cache)?;
    // A file with a fixed digest need not be downloaded again. A branch of the hub may have changed.
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
