//! Clients of the API server that read metrics again and again.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use control_plane::ControlPlane;
use http::{Request, header::ACCEPT};
use kube::client::Body;
use serde_json::Value;
use system_tests::{eventually, is, plane};
use tokio::task::JoinSet;

/// Reads in flight.
const READERS: usize = 4;

/// Reads that show that something holds.
pub(crate) const MANY: usize = 100;

/// What the autoscaler accepts.
const OF_THE_AUTOSCALER: &str = "application/vnd.kubernetes.protobuf, */*";

/// What an answer in protobuf begins with.
const PROTOBUF: &[u8] = b"k8s\0";

/// The readers, until this is dropped.
pub(crate) struct Reads {
    seen: Arc<Seen>,
    _readers: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    values: Mutex<BTreeSet<String>>,
    failures: Mutex<Vec<String>>,
    number: AtomicUsize,
}

impl Reads {
    /// Begins when each of these paths was read once; reads them in turn, as JSON and as the
    /// autoscaler does.
    pub(crate) async fn start(plane: &ControlPlane, paths: &[String]) -> Self {
        let client = plane::client(plane).await;
        for path in paths {
            eventually("the metric is read", async || read(&client, path, "*/*").await).await;
        }
        let mut this = Self { seen: Arc::default(), _readers: JoinSet::new() };
        for _ in 0..READERS {
            let (client, seen, paths) = (client.clone(), Arc::clone(&this.seen), paths.to_vec());
            this._readers.spawn(async move {
                let forms = ["application/json", OF_THE_AUTOSCALER];
                let reads = paths.iter().flat_map(|path| forms.map(|accept| (path, accept)));
                for (path, accept) in reads.cycle() {
                    match read(&client, path, accept).await {
                        Ok(values) => seen.values.lock().unwrap().extend(values),
                        Err(error) => seen.failures.lock().unwrap().push(error),
                    }
                    seen.number.fetch_add(1, Relaxed);
                }
            });
        }
        this
    }

    /// Waits until exactly these values have been read in some time.
    pub(crate) async fn see_all(&self, wanted: &[&str]) {
        eventually("all replicas are read, and no others", async || {
            self.seen.values.lock().unwrap().clear();
            self.wait_for_more(MANY).await;
            let seen = self.seen.values.lock().unwrap().clone();
            if seen.iter().eq(wanted) { Ok(()) } else { Err((seen, self.failures())) }
        })
        .await;
    }

    pub(crate) async fn wait_for_more(&self, number: usize) {
        let goal = self.seen.number.load(Relaxed) + number;
        let more = async || is(self.seen.number.load(Relaxed) >= goal);
        eventually("there are more reads", more).await;
    }

    /// Why reads failed.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.seen.failures.lock().unwrap().clone()
    }
}

/// The values of a list, which are none that can be read in protobuf; an empty list is a failure.
async fn read(client: &kube::Client, path: &str, accept: &str) -> Result<Vec<String>, String> {
    let failed = |why: String| format!("{path} as {accept}: {why}");
    let request = Request::get(path).header(ACCEPT, accept).body(Body::empty()).unwrap();
    let answer = client.send(request).await.map_err(|error| failed(error.to_string()))?;
    let status = answer.status();
    let body = answer.into_body().collect_bytes().await;
    let body = body.map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&body);
    if status != 200 {
        return Err(failed(format!("{status}: {text}")));
    }
    if accept == OF_THE_AUTOSCALER {
        let metric = path.split('?').next().unwrap().rsplit('/').next().unwrap();
        let right = body.starts_with(PROTOBUF) && text.contains(metric);
        return if right { Ok(Vec::new()) } else { Err(failed(text.into_owned())) };
    }
    let list: Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let items = list["items"].as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| failed(text.into_owned()))?;
    Ok(items.iter().map(|item| item["value"].as_str().unwrap().to_owned()).collect())
}
