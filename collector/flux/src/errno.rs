//! Error numbers as they travel on the wire.
//!
//! A broker answers a failed RPC, and refuses a connection, with the raw Linux number of the
//! machine it was built on. They come from [`crate::message::Kind::Response`] and from the
//! handshake byte, and go into [`crate::RpcError`] and [`crate::ConnectError`].

use std::fmt;

/// A Linux error number, printed as `ENOSYS (38)`.
///
/// ```
/// use flux_client::Errno;
///
/// assert_eq!(Errno(38), Errno::ENOSYS);
/// assert_eq!(Errno::ENOSYS.to_string(), "ENOSYS (38)");
/// assert_eq!(Errno(4711).to_string(), "errno 4711");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub u32);

macro_rules! errnos {
    ($($name:ident = $number:literal, $meaning:literal;)*) => {
        impl Errno {
            $(#[doc = $meaning] pub const $name: Self = Self($number);)*

            /// The symbol, where it is one that Flux is known to send.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM = 1, "The peer's role does not allow this.";
    ENOENT = 2, "No such attribute, job or key.";
    EIO = 5, "Input or output failed.";
    EAGAIN = 11, "Try again later.";
    ENOMEM = 12, "The broker is out of memory.";
    EACCES = 13, "Access denied.";
    EBUSY = 16, "Somebody else has it.";
    EEXIST = 17, "It exists already.";
    EINVAL = 22, "The request holds a value that makes no sense.";
    ENOSYS = 38, "No such service or method: older brokers, or a module that is not loaded.";
    ENODATA = 61, "The normal end of a stream of responses.";
    EPROTO = 71, "The request is malformed, or the service is asked on the wrong rank.";
    EOVERFLOW = 75, "A value does not fit.";
    ECONNRESET = 104, "The connection was reset.";
    ETIMEDOUT = 110, "The service did not answer in time.";
    EHOSTUNREACH = 113, "That rank is offline.";
    ECANCELED = 125, "The RPC was cancelled.";
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "errno {}", self.0),
        }
    }
}
