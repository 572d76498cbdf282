//! `groups.get broker.online`: a stream in every version.

use fluxgauge_proto::catalogue::Source;
use serde_json::{Value, json};

use super::{Context, snapshots::Snapshots};
use crate::{
    metrics::{Unreadable, online},
    state::Reading,
};

/// The service, of an instance of so many configured ranks.
#[derive(Debug)]
pub(crate) struct Online {
    pub(crate) size: u32,
}

impl Snapshots for Online {
    type Snapshot = Reading;

    const SOURCE: Source = Source::Online;
    const TOPIC: &'static str = "groups.get";

    fn request(&self) -> Value {
        json!({ "name": "broker.online" })
    }

    fn read(&self, json: &[u8]) -> Result<Reading, Unreadable> {
        online::read(json, self.size)
    }

    fn reading(&mut self, snapshot: &Reading) -> Reading {
        snapshot.clone()
    }

    async fn streams(&self, _: &Context) -> Option<bool> {
        Some(true)
    }
}
