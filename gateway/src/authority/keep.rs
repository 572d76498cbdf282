//! The task that owns the Secret.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams},
};
use serde_json::json;
use tokio::time::sleep;

use super::{
    Authority, MANAGER,
    certificate::{Certificate, later},
    content::{Content, Own, TLS_CERT, TLS_KEY},
    issue::IssueError,
    now,
    renewal::{self, Change, Due},
};
use crate::{
    kubernetes::{Refused, reason, reason_of_watch, single},
    tls::{self, Names, Pair},
};

/// The longest time between two looks at what is due: the time of day may jump.
const LOOK: Duration = Duration::from_secs(60);

/// How long after a write another is tried, if the watch brings nothing.
const RETRY: Duration = Duration::from_secs(10);

/// The part of an overlap over which replicas spread, so that one acts and the others see it.
const SPREAD: f64 = 0.1;

/// What the watch has told last.
enum Seen {
    /// Nothing yet.
    Unlisted,
    /// There is no Secret.
    Absent,
    Present(Box<Secret>),
}

/// Keeps the Secret.
pub(super) struct Keep<'a> {
    authority: &'a Authority,
    api: Api<Secret>,
    /// What the Secret is called in logs.
    what: String,
    /// How many of the other replicas go first: from 0 to 1.
    turn: f64,
    /// The last that could be served with.
    last: Option<(Pair, Content)>,
    watch: Refused,
    write: Refused,
    content: Refused,
}

impl<'a> Keep<'a> {
    pub(super) fn new(authority: &'a Authority, api: Api<Secret>) -> Self {
        let what = format!("Secret {}/{}", authority.namespace, authority.config.secret);
        let (watch, write, content) = Default::default();
        Self { authority, api, what, turn: fastrand::f64(), last: None, watch, write, content }
    }

    /// For ever.
    pub(super) async fn run(mut self) {
        let name = &*self.authority.config.secret;
        let mut events = pin!(single(self.api.clone(), name));
        let mut seen = Seen::Unlisted;
        loop {
            let pause = match &seen {
                Seen::Unlisted => LOOK,
                Seen::Absent => self.make().await,
                Seen::Present(secret) => self.look(secret).await,
            };
            tokio::select! {
                Some(event) = events.next() => match event {
                    Ok(found) => {
                        self.watch.over();
                        seen = found.map_or(Seen::Absent, |found| Seen::Present(Box::new(found)));
                    }
                    Err(error) => self.watch.say(
                        &format!("cannot watch {}, which has the certificate", self.what),
                        &reason_of_watch(&error),
                    ),
                },
                () = sleep(pause) => {}
            }
        }
    }

    /// Makes the Secret. Returns when to look again if the watch brings nothing.
    async fn make(&mut self) -> Duration {
        let Authority { config, .. } = self.authority;
        if !config.own {
            self.content.say(
                &format!("there is no {}", self.what),
                "with --own-ca false the gateway waits until somebody makes it",
            );
            return LOOK;
        }
        let (names, terms, now) = (self.authority.names(), config.terms, self.now());
        let made = match &self.last {
            Some((_, Content::Own(own))) => renewal::restored(own, &names, terms, now),
            _ => renewal::first(&names, terms, now),
        };
        let Some(own) = self.made(made) else { return RETRY };
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(config.secret.clone()),
                labels: Some([("app.kubernetes.io/part-of".into(), "fluxgauge".into())].into()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(own.data()),
            ..Secret::default()
        };
        // An apply may be allowed for this name alone. Each replica is a manager of its own, so that
        // one that comes second is in conflict with the first.
        let manager = format!("{MANAGER}-{:016x}", fastrand::u64(..));
        let apply = Patch::Apply(&secret);
        let written = self.api.patch(&config.secret, &PatchParams::apply(&manager), &apply).await;
        if self.written(written.map(drop), "create") {
            tracing::info!("made {} with a CA of the gateway's own", self.what);
        }
        RETRY
    }

    /// Serves with what is in the Secret, and does what is due. Returns when to look again if the
    /// watch brings nothing.
    async fn look(&mut self, secret: &Secret) -> Duration {
        let content = match Content::read(secret) {
            Ok(content) => content,
            Err(problem) => {
                self.unusable(&problem);
                return LOOK;
            }
        };
        let own = match &content {
            Content::Own(own) => Some(own.clone()),
            Content::Given { .. } => None,
        };
        if !self.adopt(content) {
            return LOOK;
        }
        match own.filter(|_| self.authority.config.own) {
            Some(own) => self.advance(secret, &own).await,
            None => LOOK,
        }
    }

    /// Serves with this from now on, if it can be.
    fn adopt(&mut self, content: Content) -> bool {
        let pair = content.pair();
        let (pair_before, bundle_before) = match &self.last {
            Some((pair, content)) => (Some(pair), content.bundle()),
            None => (None, None),
        };
        let is_new = pair_before != Some(&pair);
        let bundle = content.bundle();
        if is_new {
            let of = |key: &str| format!("{key} of {}", self.what);
            let names = Names { cert: of(TLS_CERT), key: of(TLS_KEY) };
            match tls::configure(&pair, &names, &self.authority.clients) {
                Ok(config) => self.authority.current.send_replace(config),
                Err(error) => {
                    self.unusable(&causes(&error));
                    return false;
                }
            };
            self.authority.expiry.note(&pair);
            let own_ca = matches!(content, Content::Own(_));
            let first = Certificate::read(&String::from_utf8_lossy(&pair.cert));
            let until = first.map(|first| first.ends.to_string()).ok();
            tracing::info!(own_ca, until, "serving with the certificate in {}", self.what);
            if bundle.is_none() {
                tracing::info!(
                    "{} says no CA (ca.crt): APIServices and ConfigMaps are left alone",
                    self.what
                );
            }
        }
        self.content.over();
        if bundle != bundle_before || self.last.is_none() {
            self.authority.bundle.send_replace(bundle.map(Arc::from));
        }
        self.last = Some((pair, content));
        self.authority.known.send_if_modified(|known| !std::mem::replace(known, true));
        true
    }

    /// Does what is due, or says when it will be.
    async fn advance(&mut self, secret: &Secret, own: &Own) -> Duration {
        let (names, terms, now) = (self.authority.names(), self.authority.config.terms, self.now());
        let Due { at, change } = renewal::due(own, &names, terms);
        let turn = terms.overlap().mul_f64(SPREAD * self.turn);
        let wait = now.duration_until(later(at, turn));
        if let Ok(wait) = Duration::try_from(wait)
            && !wait.is_zero()
        {
            return wait.min(LOOK);
        }
        let Some(next) = self.made(renewal::after(change, own, &names, terms, now)) else {
            return RETRY;
        };
        let patch = json!({
            "metadata": { "resourceVersion": secret.resource_version() },
            "data": next.data(),
        });
        let parameters =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let name = &self.authority.config.secret;
        let written = self.api.patch(name, &parameters, &Patch::Merge(&patch)).await;
        if self.written(written.map(drop), "renew") {
            let what = match change {
                Change::Renew => "signed a new certificate",
                Change::Rotate => "made a new CA, which signs when all have had time to trust it",
                Change::Retire => "the old CA is trusted no more",
            };
            tracing::info!("{what}: {}", self.what);
        }
        RETRY
    }

    fn made(&mut self, made: Result<Own, IssueError>) -> Option<Own> {
        made.map_err(|error| self.write.say("no new certificate", &error.to_string())).ok()
    }

    /// Whether this replica has written the Secret. That another was faster is no failure.
    fn written(&mut self, written: Result<(), kube::Error>, verb: &str) -> bool {
        match written {
            Ok(()) => {
                self.write.over();
                return true;
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => self.write.say(
                &format!("cannot {verb} {}, which has the certificate", self.what),
                &reason(&error),
            ),
        }
        false
    }

    fn unusable(&mut self, problem: &str) {
        let serving = match self.last {
            Some(_) => "serving with the old certificate",
            None => "there is no certificate to serve with",
        };
        let hint = if self.authority.config.own { " Deleted, it is made anew." } else { "" };
        self.content
            .say(&format!("{} cannot be used, {serving}", self.what), &format!("{problem}.{hint}"));
    }

    fn now(&self) -> Timestamp {
        now(self.authority.clock)
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", causes(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
