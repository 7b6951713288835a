//! Who is in a room: what everybody may know of a member, and what is the room's alone.
//!
//! It promises: a number belongs to one member for as long as the hub runs.

use std::time::Instant;

use crate::engine::escape::Escaper;
use crate::engine::journal::Cursor;
use crate::engine::lines::Lines;
use crate::engine::rate::Meter;

/// One member of the room.
#[derive(Debug)]
pub struct Member<C> {
    /// The peer: its connection, or whatever stands for it.
    pub peer: C,
    /// Who it is, and what it did.
    pub account: Account,
    /// When it last freed a segment of the journal.
    pub(super) moved: Instant,
    pub(super) cursor: Cursor,
    pub(super) lines: Lines,
    pub(super) meter: Meter,
    /// In a chat: what of its bytes is not complete enough to be said.
    pub(super) escaper: Escaper,
}

/// Who a member is, and what it did.
#[derive(Debug)]
pub struct Account {
    /// Counts the members that ever joined, from 1; never reused.
    pub number: u32,
    /// What the operator calls it.
    pub name: Option<Box<str>>,
    /// What it says is neither shown nor relayed.
    pub muted: bool,
    /// When it joined.
    pub since: Instant,
    /// Bytes it sent so far.
    pub received: u64,
    /// Bytes it took so far.
    pub sent: u64,
}

/// What is left of a member that left.
#[derive(Debug)]
pub struct Left<C> {
    /// As in [`Member`].
    pub peer: C,
    /// As in [`Member`].
    pub account: Account,
    /// Bytes it was still owed.
    pub owed: u64,
}
