//! What needs no running program: the rules of the room, the command line, the sources, and what the fuzzers
//! are given.

#[path = "../support/chance.rs"]
mod chance;
#[path = "../support/mod.rs"]
mod support;

mod corpus;
mod layers;
mod room;
mod spellings;
