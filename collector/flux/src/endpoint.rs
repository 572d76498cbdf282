//! Where a broker's socket is: `local://` URIs and the places to look for one.
//!
//! Pure but for [`discover`], which lists the directories that it is given.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Bytes of a socket's path: `sun_path` has 108, one of them for the NUL.
pub const MAX_PATH: usize = 107;

/// Sockets that are taken from one directory: `flux start --test-size` makes one for each broker.
pub const MAX_SOCKETS: usize = 1024;

/// Directories of the socket in a MiniCluster, the usual one first.
const DIRECTORIES: [&str; 3] = [
    "mnt/flux/config/run/flux", // operator since October 2025
    "mnt/flux/view/run/flux",   // operator 0.2
    "run/flux",                 // v1alpha1, and a system's own Flux
];

/// The local connector of one broker.
///
/// ```
/// use flux_client::Endpoint;
///
/// let endpoint: Endpoint = "local:///run/flux/local".parse()?;
/// assert_eq!(endpoint.path().to_str(), Some("/run/flux/local"));
/// assert_eq!(
///     "ssh://login/run/flux/local".parse::<Endpoint>().unwrap_err().to_string(),
///     "the scheme of \"ssh://login/run/flux/local\" is not local: \
///      give the broker's socket as local:///path",
/// );
/// # Ok::<(), flux_client::endpoint::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    path: PathBuf,
}

/// Text that names no local socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// `FLUX_URI=` and nothing.
    #[error("the Flux URI is empty: give the broker's socket as local:///path")]
    Empty,
    /// A path alone, or anything without `://`.
    #[error("{uri:?} has no scheme: give the broker's socket as local:///path")]
    NoScheme {
        /// What was given.
        uri: String,
    },
    /// Flux has other connectors, such as ssh.
    #[error("the scheme of {uri:?} is not local: give the broker's socket as local:///path")]
    Scheme {
        /// What was given.
        uri: String,
    },
    /// `local://run/flux/local`, mostly.
    #[error("the path in {uri:?} is not absolute: three slashes, as in local:///run/flux/local")]
    Relative {
        /// What was given.
        uri: String,
    },
    /// It could not be connected to.
    #[error("the path in {uri:?} has {len} bytes, but a socket's path ends at {MAX_PATH}")]
    TooLong {
        /// What was given.
        uri: String,
        /// Bytes of the path.
        len: usize,
    },
    /// No file has such a name.
    #[error("the path in {uri:?} holds a NUL")]
    Nul {
        /// What was given.
        uri: String,
    },
}

impl Endpoint {
    /// The socket at an absolute path.
    pub fn local(path: impl Into<PathBuf>) -> Result<Self, ParseError> {
        let path = path.into();
        let uri = || format!("local://{}", path.display());
        let bytes = path.as_os_str().as_encoded_bytes();
        if !path.is_absolute() {
            return Err(ParseError::Relative { uri: uri() });
        }
        if bytes.contains(&0) {
            return Err(ParseError::Nul { uri: uri() });
        }
        if bytes.len() > MAX_PATH {
            return Err(ParseError::TooLong { uri: uri(), len: bytes.len() });
        }
        Ok(Self { path })
    }

    /// Where its socket is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl FromStr for Endpoint {
    type Err = ParseError;

    fn from_str(uri: &str) -> Result<Self, ParseError> {
        if uri.is_empty() {
            return Err(ParseError::Empty);
        }
        match uri.split_once("://") {
            None => Err(ParseError::NoScheme { uri: uri.to_owned() }),
            Some(("local", path)) => Self::local(path),
            Some(_) => Err(ParseError::Scheme { uri: uri.to_owned() }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local://{}", self.path.display())
    }
}

/// All places to try, in order, those that do not exist (yet) included.
///
/// `FLUX_URI` is alone when it is there: whoever names a broker wants no other. Else `local` in the
/// directories of a MiniCluster, then each `local-<rank>` that is in one of them. `root` is `/`
/// but in tests.
///
/// ```
/// use std::path::Path;
/// use flux_client::endpoint;
///
/// let named = endpoint::candidates(Some("local:///tmp/flux/local-0"), Path::new("/"))?;
/// assert_eq!(named.len(), 1);
/// let found = endpoint::candidates(None, Path::new("/nowhere"))?;
/// assert_eq!(found[0].to_string(), "local:///nowhere/mnt/flux/config/run/flux/local");
/// # Ok::<(), endpoint::ParseError>(())
/// ```
pub fn candidates(flux_uri: Option<&str>, root: &Path) -> Result<Vec<Endpoint>, ParseError> {
    if let Some(uri) = flux_uri {
        return Ok(vec![uri.parse()?]);
    }
    let directories = DIRECTORIES.map(|directory| root.join(directory));
    let usual = directories.iter().map(|directory| directory.join("local"));
    let ranked = directories.iter().flat_map(|directory| ranked_sockets(directory));
    // A root that is too deep makes them too long: then there is nothing to try.
    Ok(usual.chain(ranked).filter_map(|path| Endpoint::local(path).ok()).collect())
}

/// The first of the [`candidates`] whose socket file is there.
pub fn discover(flux_uri: Option<&str>, root: &Path) -> Result<Option<Endpoint>, ParseError> {
    let candidates = candidates(flux_uri, root)?;
    Ok(candidates.into_iter().find(|endpoint| endpoint.path().exists()))
}

/// `local-<rank>` files of a directory, by rank; none if it cannot be read.
fn ranked_sockets(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let rank = |name: &std::ffi::OsStr| name.to_str()?.strip_prefix("local-")?.parse::<u32>().ok();
    let mut ranked: Vec<_> = entries
        .filter_map(|entry| Some((rank(&entry.file_name())?, entry.path())))
        .take(MAX_SOCKETS)
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests;
