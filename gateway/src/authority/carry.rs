//! Objects that should hold the bundle, each watched and put right.

use std::{fmt::Debug, pin::pin, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::MANAGER;
use crate::kubernetes::{Refused, reason, reason_of_watch, single};

/// How long what others changed is left alone, at least and at most: perhaps it was another replica
/// that knows a newer bundle, which this one then knows, too.
const SETTLE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1500));

/// How often that doubles while somebody else changes an object again and again: up to a minute and
/// a half between two repairs.
const MOST_DOUBLINGS: u32 = 6;

/// After so much peace it is as at first.
const PEACE: Duration = Duration::from_secs(10 * 60);

/// How long after a failure the next attempt is.
const RETRY: Duration = Duration::from_secs(10);

/// What is to be done with an object.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing.
    Right,
    /// Nothing, since it is not the gateway's to change.
    Leave(String),
    /// A merge patch, which names the version that it was decided on.
    Merge(Value),
    /// A server-side apply, which also creates it.
    Apply(Value),
}

/// Keeps the object of this name what `verdict` says, for ever. Logs call it `what`.
pub(super) async fn carry<K>(
    api: Api<K>,
    name: &str,
    what: String,
    mut bundle: watch::Receiver<Option<Arc<str>>>,
    verdict: impl Fn(Option<&K>, &str) -> Verdict,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = pin!(single(api.clone(), name));
    let (mut watch, mut write) = (Refused::default(), Refused::default());
    // Whether it is there, as far as that is known.
    let mut found: Option<Option<K>> = None;
    let mut left = None;
    // How often others have changed it lately, and when this was put right last.
    let (mut repairs, mut repaired) = (0, Instant::now());
    let mut due: Option<Instant> = None;
    loop {
        tokio::select! {
            Some(event) = events.next() => match event {
                Ok(object) => {
                    watch.over();
                    let pause = match &found {
                        Some(Some(_)) => settle(repairs),
                        _ => Duration::ZERO,
                    };
                    found = Some(object);
                    due = Some(Instant::now() + pause);
                }
                Err(error) => watch.say(
                    &format!("cannot watch {what}, which should hold the gateway's CA"),
                    &reason_of_watch(&error),
                ),
            },
            Ok(()) = bundle.changed() => due = Some(Instant::now()),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                due = None;
                let Some(bundle) = bundle.borrow().clone() else { continue };
                let Some(known) = &found else { continue };
                let (patch, parameters) = match verdict(known.as_ref(), &bundle) {
                    Verdict::Right => {
                        left = None;
                        continue;
                    }
                    Verdict::Leave(why) => {
                        if left.as_ref() != Some(&why) {
                            tracing::warn!("{what} is left alone: {why}");
                            left = Some(why);
                        }
                        continue;
                    }
                    Verdict::Merge(patch) => (Patch::Merge(patch), PatchParams {
                        field_manager: Some(MANAGER.to_owned()),
                        ..PatchParams::default()
                    }),
                    Verdict::Apply(patch) => {
                        (Patch::Apply(patch), PatchParams::apply(MANAGER).force())
                    }
                };
                match api.patch(name, &parameters, &patch).await {
                    Ok(object) => {
                        write.over();
                        found = Some(Some(object));
                        repairs = if repaired.elapsed() < PEACE { repairs + 1 } else { 0 };
                        repaired = Instant::now();
                        tracing::info!("put the gateway's CA into {what}");
                    }
                    // The watch tells what it has become.
                    Err(kube::Error::Api(status)) if status.code == 409 => {}
                    Err(error) => {
                        write.say(&format!("cannot put the gateway's CA into {what}"), &reason(&error));
                        due = Some(Instant::now() + RETRY);
                    }
                }
            }
            else => return,
        }
    }
}

/// How long to wait before what others changed is put right, after so many times.
fn settle(repairs: u32) -> Duration {
    let (least, most) = SETTLE;
    // The first ones are the gateway's own: it was told a CA, and another one.
    let doublings = repairs.saturating_sub(2).min(MOST_DOUBLINGS);
    (least + (most - least).mul_f64(fastrand::f64())) * (1 << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_an_object_again_and_again_is_answered_ever_later_up_to_a_bound() {
        let (least, most) = SETTLE;
        for repairs in [0, 1, 2, 3, 8, 100, u32::MAX] {
            let doubled = 1 << repairs.saturating_sub(2).min(6);
            assert!((least * doubled..=most * doubled).contains(&settle(repairs)), "{repairs}");
        }
        assert!(settle(u32::MAX) <= Duration::from_secs(96));
    }
}
