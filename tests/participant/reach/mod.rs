//! Getting there: the addresses of a name, raced; proxies; several ports; Unix sockets.

mod happy_eyeballs;
mod names;
mod proxy;
mod scan;
mod unix;
