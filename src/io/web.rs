//! WebSocket (RFC 6455) for those who come from a browser: HTTP first, and frames then; see docs/WEB.md.
//!
//! ```text
//!  room ─► Conn ─► Layer::Web(WebSocket) ─► frames ─► Socket
//!                                            └──────► Session ─► records ─► Socket
//! ```
//!
//! It promises: a broadcast is one copy for everybody, since a frame is a header before slices of what is
//! handed over. Without the feature `web` the doors are the same and lead nowhere.

#[cfg(not(feature = "web"))]
mod absent;
#[cfg(feature = "web")]
mod asking;
#[cfg(feature = "web")]
mod outgoing;
#[cfg(feature = "web")]
mod site;
#[cfg(feature = "web")]
mod websocket;
#[cfg(all(test, feature = "web"))]
mod wire;

#[cfg(not(feature = "web"))]
pub use self::absent::Site;
#[cfg(not(feature = "web"))]
pub use self::absent::invitation;
#[cfg(feature = "web")]
pub use self::site::Site;
#[cfg(feature = "web")]
pub use self::site::invitation;
#[cfg(feature = "web")]
pub use self::websocket::WebSocket;
