//! Answers to probes: `/livez` while the process serves, `/readyz` while it should be asked.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use metrics_api::{Status, parameters::Parameters, path::Endpoint};
use tokio::sync::watch;

use super::respond;

/// Where the process is between its start and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Collectors may not have found this gateway yet.
    #[default]
    WarmingUp,
    /// Everything is served.
    Ready,
    /// Everything is still served, and nobody new should come.
    Draining,
}

/// What probes are told. Whoever runs the process holds the sender.
#[derive(Clone, Debug)]
pub struct Health {
    state: watch::Receiver<State>,
    pods: watch::Receiver<bool>,
    authentication: watch::Receiver<bool>,
    certificate: watch::Receiver<bool>,
}

impl Health {
    /// Tells probes the newest state, whether the pods of MiniClusters are known or no longer waited
    /// for, whether it is known whom to believe who reads, and whether there is a certificate that
    /// clients can trust.
    pub const fn new(
        state: watch::Receiver<State>,
        pods: watch::Receiver<bool>,
        authentication: watch::Receiver<bool>,
        certificate: watch::Receiver<bool>,
    ) -> Self {
        Self { state, pods, authentication, certificate }
    }

    pub(super) fn answer(
        &self,
        endpoint: Endpoint,
        check: Option<&str>,
        parameters: &Parameters<'_>,
    ) -> Result<Response<Bytes>, Status> {
        let state = *self.state.borrow();
        let checks: &[(&str, bool)] = match endpoint {
            Endpoint::Healthz | Endpoint::Livez => &[("ping", true)],
            Endpoint::Readyz => &[
                ("ping", true),
                ("certificate", *self.certificate.borrow()),
                ("warm-up", state != State::WarmingUp),
                ("pods", *self.pods.borrow()),
                ("authentication", *self.authentication.borrow()),
                ("shutdown", state != State::Draining),
            ],
        };
        if let Some(name) = check {
            let (_, passed) =
                checks.iter().find(|(known, _)| *known == name).ok_or_else(Status::unknown_path)?;
            return Ok(match passed {
                true => text(StatusCode::OK, "ok"),
                false => text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal server error: reason withheld\n",
                ),
            });
        }
        let mut lines = String::new();
        let mut all_passed = true;
        for (name, passed) in checks {
            if parameters.exclude.iter().any(|excluded| excluded == name) {
                lines += &format!("[+]{name} excluded: ok\n");
            } else if *passed {
                lines += &format!("[+]{name} ok\n");
            } else {
                all_passed = false;
                lines += &format!("[-]{name} failed: reason withheld\n");
            }
        }
        let name = endpoint.name();
        Ok(match all_passed {
            true if !parameters.verbose => text(StatusCode::OK, "ok"),
            true => text(StatusCode::OK, lines + &format!("{name} check passed\n")),
            false => {
                text(StatusCode::INTERNAL_SERVER_ERROR, lines + &format!("{name} check failed\n"))
            }
        })
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let headers = [
        (CONTENT_TYPE, respond::TEXT),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, private")),
    ];
    respond::with_headers(status, headers, text.into())
}
