//! The integration tests of the program, in one executable: linking it takes longer than compiling the tests.

mod bad_input;
mod command;
mod corpora;
mod devices;
mod faults;
mod hub;
mod inspect;
mod kills;
mod mock_engine;
mod report;
mod run;
mod tasks;
mod tune;
mod verify;
