//! The tests of `gramask-ner`, in one executable.

mod bioc;
mod cases;
mod columns;
mod corpora;
mod metrics;
mod readers;
mod significance;
mod standoff;
mod support;
mod writers;
