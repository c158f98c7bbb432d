//! The list of checks that `gramask conform` runs, on every device of this machine.

use crate::support::sampling::devices;
use burn::tensor::Device;
use gramask_kernels::checks::{self, Devices, Tolerances};
use std::collections::HashSet;

#[test]
fn every_check_passes_on_every_device() {
    for (name, device) in devices() {
        let tolerances = Tolerances { sums: 1e-5, products: 1e-5 };
        let devices = Devices { device, reference: Device::flex(), tolerances, quick: true };
        for check in checks::all() {
            let tally = check.run(&devices).unwrap();
            assert_eq!(tally.wrong, None, "{name}: {}", check.name);
            assert!(tally.cases > 0 || tally.skipped.is_some(), "{name}: {} compares nothing", check.name);
        }
    }
}

#[test]
fn names_are_unique() {
    let mut names = HashSet::new();
    for check in checks::all() {
        assert!(names.insert(check.name.clone()), "{}", check.name);
    }
}

#[test]
fn a_wrong_number_is_found() {
    let mut tally = checks::Tally::within(1e-3);
    tally.compare_to_largest("x", &[1.0, 8.001], &[1.0, 8.0]);
    assert_eq!(tally.wrong, None);
    tally.compare_to_largest("x", &[1.0, 8.01], &[1.0, 8.0]);
    assert_eq!(tally.wrong.as_deref(), Some("x[1] is 8.010000228881836 for 8"));
}
