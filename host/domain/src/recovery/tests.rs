//! The machine alone: a table of every stage and input, and a test for each sentence that it keeps.

mod approvals;
mod asked;
mod between;
mod chain;
mod config;
mod deciding;
mod doubtful;
mod escalating;
mod fixtures;
mod gate;
mod moment;
mod objective;
mod pausing;
mod person;
mod relapse;
mod restart;
mod sentences;
mod signalling;
mod stages;
mod stopping;
mod stories;
mod table;
mod unseen;
mod validated;
mod workflow;
mod world;
