//! Whether masked outputs are what their constraint promises.

use crate::store::Record;
use gramask_grammar::Level;

/// The masked outputs that break the promise of their constraint. They do not parse, an independent parser refuses them, or they have
/// a fault at level `grounded`. Each is a bug of this program.
pub fn broken_promises(records: &[Record]) -> Vec<&Record> {
    let broken = |record: &&Record| {
        let level = record.cell.level;
        level != Level::None
            && record.finish.is_some()
            && (!record.parsed
                || record.independent == Some(false)
                || level == Level::Grounded && !record.errors.is_empty())
    };
    records.iter().filter(broken).collect()
}
