//! The gateway of a demo: a process on this machine, for this machine.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
};

use anyhow::Context as _;

use crate::{
    args::Demo,
    demo::{
        READINGS,
        certificates::Files,
        children::Role,
        parts::{Parts, words},
    },
};

/// Where a gateway listens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Addresses {
    pub(crate) api: SocketAddr,
    pub(crate) ingest: SocketAddr,
}

/// Serves metrics on this machine alone, and drains at once when it is to end. `trusted` are the
/// flags that say whom it asks who may read and report, with their values.
pub(crate) async fn start(
    parts: &mut Parts,
    args: &Demo,
    files: &Files,
    trusted: &[(&str, &OsStr)],
) -> anyhow::Result<Addresses> {
    let duration = |duration| OsString::from(humantime::format_duration(duration).to_string());
    let (age, pace) = (duration(args.max_age), duration(args.max_age.min(READINGS)));
    let flags = |api: SocketAddr, ingest: SocketAddr| {
        let mut flags = words(&[
            ("--listen", api.to_string().as_ref()),
            ("--ingest-listen", ingest.to_string().as_ref()),
            ("--tls-cert", files.cert.as_os_str()),
            ("--tls-key", files.key.as_os_str()),
            ("--max-age", &age),
            ("--interval", &pace),
            ("--warm-up", "0s".as_ref()),
            ("--drain-delay", "0s".as_ref()),
            ("--drain-timeout", "1s".as_ref()),
        ]);
        flags.append(&mut words(trusted));
        flags
    };
    let asked = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let asked = flags(asked(args.api_port), asked(args.ingest_port));
    let line = parts.start(Role::Gateway, &asked, "listening ").await?;
    let addresses = Addresses::parse(&line)
        .with_context(|| format!("the gateway does not say where it listens: {line:?}"))?;
    // Whoever starts it again wants the same ports.
    parts.again_with(Role::Gateway, &flags(addresses.api, addresses.ingest));
    Ok(addresses)
}

impl Addresses {
    /// Reads the line `listening api=ADDRESS ingest=ADDRESS`.
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        Some(Self { api: field("api")?, ingest: field("ingest")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_line_names_both_ports() {
        let line = "listening api=127.0.0.1:8443 ingest=[::1]:8444";
        let addresses = Addresses::parse(line).unwrap();
        assert_eq!(addresses.api, "127.0.0.1:8443".parse().unwrap());
        assert_eq!(addresses.ingest, "[::1]:8444".parse().unwrap());
        for line in ["", "listening", "listening api=127.0.0.1:1", "listening api=x ingest=y"] {
            assert_eq!(Addresses::parse(line), None, "{line}");
        }
    }
}
