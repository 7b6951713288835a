//! WebSocket (RFC 6455) for browsers: HTTP first, and frames then; see docs/WEB.md.
//!
//! ```text
//!  room ─► Conn ─► Layer::Web(WebSocket) ─► frames ─► Socket
//!                                            └──────► Session ─► records ─► Socket
//! ```
//!
//! A hub that offers a file has a [`Download`] there instead: HTTP, and the file's own bytes.
//!
//! It promises: a broadcast is one copy for all, since a frame is a header before slices of the
//! log. Without the feature `web` the types are the same and have no values.

#[cfg(not(feature = "web"))]
mod absent;
#[cfg(feature = "web")]
mod asking;
#[cfg(feature = "web")]
mod download;
#[cfg(feature = "web")]
mod offered;
#[cfg(feature = "web")]
mod outgoing;
#[cfg(feature = "web")]
mod site;
#[cfg(feature = "web")]
mod websocket;
#[cfg(all(test, feature = "web"))]
mod wire;

#[cfg(not(feature = "web"))]
pub use self::absent::Offered;
#[cfg(not(feature = "web"))]
pub use self::absent::Site;
#[cfg(not(feature = "web"))]
pub use self::absent::invitation;
#[cfg(feature = "web")]
pub use self::download::Download;
#[cfg(feature = "web")]
pub use self::offered::Offered;
#[cfg(feature = "web")]
pub use self::site::Serves;
#[cfg(feature = "web")]
pub use self::site::Site;
#[cfg(feature = "web")]
pub use self::site::invitation;
#[cfg(feature = "web")]
pub use self::websocket::WebSocket;
