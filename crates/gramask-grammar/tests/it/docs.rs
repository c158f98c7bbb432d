//! `docs/formats.md` is what the format files say.

use gramask_grammar::docs::{Example, page};
use gramask_grammar::{Format, Reason};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md");

/// `GRAMASK_BLESS=1` writes the page.
#[test]
fn the_page_is_up_to_date() {
    let made = page().unwrap();
    if std::env::var_os("GRAMASK_BLESS").is_some() {
        std::fs::write(PATH, &made).unwrap();
    }
    let committed = std::fs::read_to_string(PATH).unwrap_or_default();
    let differs = made.lines().zip(committed.lines()).position(|(a, b)| a != b);
    assert!(
        made == committed,
        "docs/formats.md differs from the format files, first in line {}; write it with `gramask formats --markdown > docs/formats.md`",
        differs.unwrap_or(committed.lines().count()) + 1
    );
}

/// The plain example is written whole in every format; of the hard one each format says what it claims to express.
#[test]
fn the_examples_show_what_is_claimed() {
    let (plain, hard) = (Example::plain(), Example::hard());
    for name in Format::builtin() {
        let format = Format::named(name).unwrap();
        assert_eq!(plain.write(&format).unwrap().unexpressed, [], "{name}");
        let shown = hard.write(&format).unwrap();
        let reasons = |reason| shown.unexpressed.iter().filter(|(_, why)| *why == reason).count();
        let expresses = format.expresses();
        assert_eq!(reasons(Reason::Discontinuous), usize::from(!expresses.discontinuous), "{name}");
        let flat = expresses.nested != gramask_grammar::Nested::Yes;
        assert_eq!(reasons(Reason::Nested), usize::from(flat), "{name}");
        assert_eq!(shown.unexpressed.len(), reasons(Reason::Discontinuous) + reasons(Reason::Nested), "{name}");
    }
}
