//! What Kubernetes did not do, said once.

use kube::runtime::watcher;

/// Says what Kubernetes does not do, until it does: one line, however often it is tried.
#[derive(Debug, Default)]
pub struct Refused {
    said: Option<String>,
}

impl Refused {
    /// Says that `what` did not work, such as `cannot watch Secret a/b, which …`. What Kubernetes says
    /// to one who may not names the user, the verb and the resource.
    pub fn say(&mut self, what: &str, why: &str) {
        let line = format!("{what}: {why}");
        if self.said.as_ref() != Some(&line) {
            tracing::error!("{line}");
            self.said = Some(line);
        }
    }

    /// It has worked: the next failure is news.
    pub fn over(&mut self) {
        self.said = None;
    }
}

/// Why a request failed, in Kubernetes' words where it answered.
pub fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => causes(other),
    }
}

/// Why a watch is interrupted, likewise.
pub fn reason_of_watch(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => reason(error),
        WatchError(status) => status.message.clone(),
        other @ watcher::Error::NoResourceVersion => causes(other),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Some of `kube` tell their causes themselves.
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
