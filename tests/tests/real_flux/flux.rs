//! Flux itself, and what its command line says of it.

use std::{collections::BTreeMap, fs, process::Stdio};

use system_tests::{DEADLINE, process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// What the brokers are told. Jobs run for as long as they say, and start nothing.
const CONFIG: &str = r#"
[resource]
path = "@DIR@/R.json"
noverify = true

[queues.batch]
requires = ["batch"]
[queues.debug]
requires = ["debug"]

[policy.jobspec.defaults.system]
queue = "batch"
duration = "1h"
"#;

const R: &str = r#"{"version": 1, "execution": {
  "R_lite": [{"rank": "0-7", "children": {"core": "0-3", "gpu": "0-1"}}],
  "starttime": 0, "expiration": 0, "nodelist": ["node[0-7]"],
  "properties": {"batch": "0-5", "debug": "6-7"}}}"#;

/// Says where the broker's socket is, and ends the instance when its input does.
const SCRIPT: &str = "flux queue start --all --quiet; echo $FLUX_URI; exec cat";

/// An instance of Flux on this machine, and its command line.
pub(crate) struct Flux {
    pub(crate) uri: String,
    /// Its brokers end when this is dropped, with the pipe to them.
    instance: Child,
    _dir: TempDir,
}

/// What it is told where nodes are cleaned up after each job, which takes a while.
pub(crate) const HOUSEKEEPING: &str = r#"
[job-manager.housekeeping]
command = ["sleep", "6"]
"#;

impl Flux {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with more configuration.
    pub(crate) async fn start_with(more: &str) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("R.json"), R).unwrap();
        let config = dir.path().join("flux.toml");
        let text = CONFIG.replace("@DIR@", process::text(dir.path()));
        fs::write(&config, text + more).unwrap();
        let mut instance = Command::new("flux")
            .args(["start", "--test-size=4", "--setattr=broker.quorum=1"])
            .arg(format!("--config-path={}", config.display()))
            .args(["sh", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("flux is on PATH");
        let lines = BufReader::new(instance.stdout.take().unwrap());
        let line = timeout(DEADLINE, lines.lines().next_line()).await.expect("flux starts in time");
        let uri = line.unwrap().expect("the line of the script");
        Self { uri, instance, _dir: dir }
    }

    /// Ends the instance, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.instance.stdin.take());
        self.instance.wait().await.unwrap();
    }

    /// What `flux` prints with these arguments.
    pub(crate) async fn run(&self, args: &[&str]) -> String {
        let output =
            Command::new("flux").args(args).env("FLUX_URI", &self.uri).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "flux {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the metrics should be, by the flux command alone.
    pub(crate) async fn truth(&self, queue: Option<&str>) -> BTreeMap<String, f64> {
        let of_queue = |args: &[&str]| -> Vec<String> {
            let queue = queue.map(|queue| format!("--queue={queue}"));
            args.iter().map(|arg| (*arg).to_owned()).chain(queue).collect()
        };
        let mut truth = BTreeMap::new();

        let format = "{state} {nnodes} {ncores} {ngpus}";
        let sets = "all,up,free,allocated,down";
        let args = of_queue(&["resource", "list", "--no-header", "-s", sets, "-o", format]);
        let list = self.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for line in list.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let [set, nodes, cores, gpus] = words.as_slice() else { panic!("{line:?}") };
            let set = if *set == "all" { "total" } else { set };
            for (kind, number) in [("node", nodes), ("core", cores), ("gpu", gpus)] {
                *truth.entry(format!("{kind}_{set}_count")).or_default() +=
                    number.parse::<f64>().unwrap();
            }
        }
        for set in ["up", "free"] {
            truth.insert(format!("node_cores_{set}_count"), truth[&format!("core_{set}_count")]);
        }

        let args = of_queue(&["jobs", "-a", "--no-header", "--format={state} {result}"]);
        let jobs = self.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for state in ["depend", "priority", "sched", "run", "cleanup", "inactive"] {
            truth.insert(format!("job_queue_state_{state}_count"), 0.0);
        }
        for outcome in ["successful", "failed", "canceled", "timeout"] {
            truth.insert(format!("job_{outcome}_count"), 0.0);
        }
        for line in jobs.lines() {
            let mut words = line.split_whitespace();
            let state = words.next().expect("a state").to_lowercase();
            *truth.get_mut(&format!("job_queue_state_{state}_count")).expect(line) += 1.0;
            let outcome = match words.next() {
                Some("COMPLETED") => "successful",
                Some(result) => &result.to_lowercase(),
                None => continue,
            };
            *truth.get_mut(&format!("job_{outcome}_count")).expect(line) += 1.0;
        }
        let of_states = |states: &[&str]| -> f64 {
            states.iter().map(|state| truth[&format!("job_queue_state_{state}_count")]).sum()
        };
        let pending = of_states(&["depend", "priority", "sched"]);
        let running = of_states(&["run", "cleanup"]);
        truth.insert("job_pending_count".to_owned(), pending);
        truth.insert("job_running_count".to_owned(), running);
        truth.insert("job_active_count".to_owned(), pending + running);
        truth.insert("job_inactive_purged_count".to_owned(), 0.0);
        let format = "--format={priority} {nnodes:h} {ncores:h} {duration}";
        let args = of_queue(&["jobs", "-A", "--no-header", "--filter=sched", format]);
        let jobs = self.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
        truth.extend(demand(&jobs));

        let ranks = async |set: &str| -> flux_client::Idset {
            let args = of_queue(&["resource", "list", "-n", "-s", set, "-o", "{ranks}"]);
            let lines = self.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
            // One line for ranks that have the same.
            lines.lines().fold(flux_client::Idset::new(), |all, line| {
                all.union(&line.trim().parse().unwrap())
            })
        };
        let (up, allocated) = (ranks("up").await, ranks("allocated").await);
        let used = up.intersection(&allocated).len() as f64;
        truth.insert("node_idle_count".to_owned(), up.len() as f64 - used);
        if !up.is_empty() {
            let ratio = (used / up.len() as f64 * 1000.0).round() / 1000.0;
            truth.insert("node_utilization_ratio".to_owned(), ratio);
        }
        if let Some(queue) = queue {
            let status = self.run(&["queue", "status", queue]).await;
            let says = |word: &str| f64::from(u8::from(status.contains(word)));
            truth.insert("queue_enabled".to_owned(), says("submission is enabled"));
            truth.insert("queue_started".to_owned(), says("Scheduling is started"));
        }

        if queue.is_none() {
            for (state, metric) in [
                ("drained", "node_drained_count"),
                ("draining", "node_draining_count"),
                ("exclude", "node_excluded_count"),
                ("torpid", "node_torpid_count"),
            ] {
                let args = ["resource", "status", "-n", "-s", state, "-o", "{nnodes}"];
                let lines = self.run(&args).await;
                let numbers = lines.lines().map(|line| line.trim().parse::<f64>().unwrap());
                truth.insert(metric.to_owned(), numbers.sum());
            }
            let args = ["resource", "list", "-n", "-s", "allocated", "-o", "{ranks}"];
            let ranks = self.run(&args).await;
            let ranks: flux_client::Idset = ranks.trim().parse().unwrap();
            truth.insert("cluster_size_min_safe".to_owned(), safe_size(&ranks));
            truth.insert("job_queue_state_new_count".to_owned(), 0.0);
        }
        truth
    }

    /// Submits a job that holds its resources and starts nothing.
    pub(crate) async fn submit(&self, args: &[&str]) -> String {
        let mock = ["--setattr=exec.test.run_duration=1h", "true"];
        let args: Vec<_> = ["submit"].iter().chain(args).chain(&mock).copied().collect();
        self.run(&args).await.trim().to_owned()
    }
}

/// What waiting jobs need. Those of this test that name no cores want whole nodes, those that name no
/// nodes have room on one, and none asks for a GPU by itself.
fn demand(jobs: &str) -> BTreeMap<String, f64> {
    let mut truth: BTreeMap<String, f64> = [
        "pending_nodes_demand",
        "pending_cores_demand",
        "pending_gpus_demand",
        "pending_nodes_max",
        "pending_nodes_head",
        "pending_backlog_node_seconds",
        "pending_unlimited_count",
        "job_held_count",
        "job_stopped_count",
        "pending_unsized_count",
        "pending_unsatisfiable_count",
    ]
    .map(|metric| (metric.to_owned(), 0.0))
    .into();
    for line in jobs.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [priority, nodes, cores, seconds] = words[..] else { panic!("{line:?}") };
        if priority == "0" {
            *truth.get_mut("job_held_count").unwrap() += 1.0;
            continue;
        }
        let nodes = nodes.parse().unwrap_or(1.0);
        *truth.get_mut("pending_nodes_demand").unwrap() += nodes;
        let [all_cores, all_gpus] = [4.0, 2.0].map(|of_a_node| of_a_node * nodes);
        let whole = cores.parse::<f64>().is_err();
        *truth.get_mut("pending_cores_demand").unwrap() += cores.parse().unwrap_or(all_cores);
        *truth.get_mut("pending_gpus_demand").unwrap() += if whole { all_gpus } else { 0.0 };
        let seconds: f64 = seconds.parse().unwrap();
        *truth.get_mut("pending_backlog_node_seconds").unwrap() += nodes * seconds;
        let head = truth.get_mut("pending_nodes_head").unwrap();
        *head = if *head == 0.0 { nodes } else { *head };
        let largest = truth.get_mut("pending_nodes_max").unwrap();
        *largest = largest.max(nodes);
    }
    truth
}

fn safe_size(allocated: &flux_client::Idset) -> f64 {
    f64::from(allocated.max().map_or(1, |highest| highest + 1))
}
