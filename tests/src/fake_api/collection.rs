//! Objects of one kind, as an API server keeps them: listed, and watched from any version that it
//! still remembers.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Collection {
    version: u64,
    objects: BTreeMap<String, Value>,
    /// What changed, by version.
    changes: BTreeMap<u64, Bytes>,
    /// The newest version whose successors are not all in `changes` any more.
    forgotten: u64,
    watchers: Vec<mpsc::UnboundedSender<Bytes>>,
    pub(super) lists: usize,
}

impl Collection {
    /// Creates or changes an object.
    pub(super) fn apply(&mut self, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let kind = if self.objects.contains_key(&name) { "MODIFIED" } else { "ADDED" };
        let object = self.change(kind, object);
        self.objects.insert(name, object);
    }

    pub(super) fn delete(&mut self, name: &str) {
        let object = self.objects.remove(name).unwrap();
        self.change("DELETED", object);
    }

    /// Ends all watches.
    pub(super) fn cut(&mut self) {
        self.watchers.clear();
    }

    /// Forgets what changed so far.
    pub(super) fn compact(&mut self) {
        self.changes.clear();
        self.forgotten = self.version;
    }

    /// How many watches are open.
    pub(super) fn watches(&mut self) -> usize {
        self.watchers.retain(|watcher| !watcher.is_closed());
        self.watchers.len()
    }

    pub(super) fn list(&mut self) -> Value {
        self.lists += 1;
        json!({
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": self.version.to_string()},
            "items": self.objects.values().collect::<Vec<_>>(),
        })
    }

    /// Lines of what changed after a version, and of all that will.
    pub(super) fn watch(&mut self, from: u64) -> mpsc::UnboundedReceiver<Bytes> {
        let (sender, lines) = mpsc::unbounded_channel();
        if from < self.forgotten {
            let status = json!({
                "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
                "message": "too old resource version", "reason": "Expired", "code": 410,
            });
            sender.send(event("ERROR", &status)).unwrap();
            return lines;
        }
        for line in self.changes.range(from + 1..).map(|(_, line)| line) {
            sender.send(line.clone()).unwrap();
        }
        self.watchers.push(sender);
        lines
    }

    fn change(&mut self, kind: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let line = event(kind, &object);
        self.changes.insert(self.version, line.clone());
        self.watchers.retain(|watcher| watcher.send(line.clone()).is_ok());
        object
    }
}

fn event(kind: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({"type": kind, "object": object})).into()
}
