//! The web: what a hub says to browsers (docs/WEB.md), HTTP first and WebSocket frames then.
//!
//! ```text
//!   bytes ─► request ─► the page, or an upgrade, or a refusal ─► answer
//!   bytes ─► frames ─► what a member says, control, the end
//! ```
//!
//! It promises: of what comes no more is kept than the head of a request
//! ([`MAX_HEAD`](request::MAX_HEAD)) or one control frame; nothing is believed that a page of
//! another site could have made a browser say.

pub mod answer;
pub mod condition;
pub mod date;
pub mod fetch;
pub mod filename;
pub mod frame;
pub mod offer;
pub mod origin;
pub mod page;
pub mod ports;
pub mod qr;
pub mod range;
pub mod request;
mod target;
