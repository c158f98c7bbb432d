//! Format files become constraints, readers and writers.
