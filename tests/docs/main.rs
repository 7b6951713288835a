//! What a person reads and runs beside the program: the documents' commands, run as they stand there, the
//! manual, the scripts and the packages.

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod coming_from;
mod demo;
mod documents;
mod guide;
mod manual;
mod package;
mod readme;
mod scripts;
mod shown;
mod stage;
mod teaching;
