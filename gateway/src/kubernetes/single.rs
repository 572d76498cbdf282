//! One object by its name: what it is, and each time that it changes.

use std::fmt::Debug;

use futures_util::{Stream, StreamExt as _};
use kube::{
    Api, Resource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Error, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::WATCH_DURATION;

/// What the object of this name is now, and again whenever that changes; `None`: there is none. The
/// right to list and watch objects of this name is enough. After an error the stream goes on by
/// itself, 0.8 s to 30 s later.
pub fn single<K>(api: Api<K>, name: &str) -> impl Stream<Item = Result<Option<K>, Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default()
        .fields(&format!("metadata.name={name}"))
        .timeout(u32::try_from(WATCH_DURATION.as_secs()).unwrap_or(u32::MAX));
    // Whether the list that is being read has the object.
    let mut listed = false;
    watcher(api, config).default_backoff().filter_map(move |event| {
        let told = match event {
            Ok(Event::Init) => {
                listed = false;
                None
            }
            Ok(Event::InitApply(object)) => {
                listed = true;
                Some(Ok(Some(object)))
            }
            Ok(Event::InitDone) => (!listed).then_some(Ok(None)),
            Ok(Event::Apply(object)) => Some(Ok(Some(object))),
            Ok(Event::Delete(_)) => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        };
        std::future::ready(told)
    })
}
