//! This workspace's kernels.
//!
//! The list of checks, and what each compares, is in [`gramask_kernels::checks`]: the kernels' own tests run the same ones.

use super::check::{Check, Group};

pub(super) fn checks() -> Vec<Check> {
    let all = gramask_kernels::checks::all().into_iter();
    all.map(|check| Check::new(Group::Kernel, check.name.clone(), move |pair| Ok(check.run(&pair.devices())?)))
        .collect()
}
