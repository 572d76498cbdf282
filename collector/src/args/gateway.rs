//! The gateway's URL, and what may travel to it: nothing secret in the clear.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use tonic::transport::Uri;

use super::Problem;

/// Where samples go, and how.
#[derive(Clone)]
pub struct Gateway {
    /// Its name, which each address has to prove in its certificate; an IPv6 address without
    /// brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The file of authorities; `None` for plain HTTP.
    pub ca: Option<PathBuf>,
    /// What is sent as the bearer token.
    pub token: Option<Token>,
    /// The certificate that is shown.
    pub pair: Option<Pair>,
}

/// The files of a certificate and its key.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What a collector can prove itself by.
#[derive(Debug)]
pub(super) struct Proofs {
    /// The token that is given.
    pub(super) token: Option<Token>,
    /// The certificate that is given.
    pub(super) pair: Option<Pair>,
    /// The token that is there without being given.
    pub(super) mounted: Option<PathBuf>,
}

/// Where tokens are mounted into a pod: one that is made for gateways, and that of its service account.
const MOUNTED: [&str; 2] =
    ["var/run/secrets/fluxgauge/token", "var/run/secrets/kubernetes.io/serviceaccount/token"];

/// The first token that is mounted into this pod.
pub(super) fn mounted_token(root: &Path) -> Option<PathBuf> {
    MOUNTED.iter().map(|path| root.join(path)).find(|path| path.is_file())
}

/// A secret.
#[derive(Clone)]
pub enum Token {
    /// The secret itself.
    Text(String),
    /// A file that holds it.
    File(PathBuf),
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the token.
        let Self { host, port, ca, .. } = self;
        f.debug_struct("Gateway").field("host", host).field("port", port).field("ca", ca).finish()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Puts the gateway together, and says all that is wrong with it.
pub(super) fn check(
    url: Option<String>,
    ca: Option<PathBuf>,
    Proofs { token, pair, mounted }: Proofs,
    insecure: bool,
    problems: &mut Vec<Problem>,
) -> Option<Gateway> {
    let Some(url) = url else {
        problems.push(Problem::NoGateway);
        return None;
    };
    let (host, port, tls) = match endpoint(&url) {
        Ok(parts) => parts,
        Err(why) => {
            // Before an @ stands a password, which is not for logs.
            let url = match url.rsplit_once('@') {
                Some((_, rest)) => format!("...@{rest}"),
                None => url,
            };
            problems.push(Problem::Gateway { url, why });
            return None;
        }
    };
    match (tls, &ca) {
        (true, None) => problems.push(Problem::NoCa),
        (false, Some(_)) => problems.push(Problem::UnusedCa),
        _ => {}
    }
    if !tls && !insecure {
        if !is_this_machine(&host) {
            problems.push(Problem::PlainHttp(host.clone()));
        }
        if token.is_some() {
            problems.push(Problem::PlainToken);
        }
    }
    if !tls && pair.is_some() {
        problems.push(Problem::UnusedCertificate);
    }
    // One that nobody has asked for is not sent in the clear either.
    let mounted = mounted.filter(|_| tls || insecure).map(Token::File);
    Some(Gateway { host, port, ca, token: token.or(mounted), pair })
}

/// Host, port, and whether by TLS.
fn endpoint(url: &str) -> Result<(String, u16, bool), &'static str> {
    let uri: Uri = url.trim().parse().map_err(|_| "it is not a URL")?;
    let (tls, default_port) = match uri.scheme_str() {
        Some("https") => (true, 443),
        Some("http") => (false, 80),
        _ => return Err("it starts with neither https:// nor http://"),
    };
    if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
        return Err("it has a path");
    }
    let authority = uri.authority().ok_or("it has no host")?.as_str();
    if authority.contains('@') {
        return Err("it has a user name");
    }
    let host = uri.host().unwrap_or_default();
    let after = authority.strip_prefix(host).unwrap_or_default();
    let port = match after.strip_prefix(':') {
        None => default_port,
        Some(port) => {
            port.parse().ok().filter(|port| *port != 0).ok_or("its port is not 1 to 65535")?
        }
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() { Err("it has no host") } else { Ok((host.to_owned(), port, tls)) }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
