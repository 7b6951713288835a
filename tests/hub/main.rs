//! The hub, for whoever runs one and whoever comes to it: the real binary over loopback.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod activation;
mod bus;
mod chat;
mod class;
mod collect;
mod events;
mod faults;
mod hubs;
mod moderation;
mod news;
mod privilege;
mod readers;
mod records;
mod rules;
mod stamps;
mod time;
mod turn;
