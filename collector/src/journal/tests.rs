use flux_client::ResourceSet;
use flux_demand::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Jobs, Message, Numbers,
    jobs::{Flow, MAX_ACTIVE_JOBS},
    message::Unusable,
};
use crate::metrics::recorded::payloads;

/// Takes a message; whether it was the end of the backlog.
fn take(jobs: &mut Jobs, message: &[u8]) -> bool {
    match Message::read(message).unwrap() {
        Message::Live => true,
        Message::Job(events) => {
            jobs.take(&events).unwrap();
            false
        }
    }
}

/// An event of job `id`.
fn event(jobs: &mut Jobs, id: u64, name: &str, context: &Value) {
    let event = json!({ "timestamp": 9.0, "name": name, "context": context });
    let message = json!({ "id": id, "events": [event] });
    take(jobs, message.to_string().as_bytes());
}

/// A job of one core on one node in SCHED, in queue `batch`.
fn submitted(jobs: &mut Jobs, id: u64, priority: u64) {
    let event =
        |name: &str, context: Value| json!({ "timestamp": 1.0, "name": name, "context": context });
    let message = json!({
        "id": id,
        "events": [
            event("submit", json!({ "userid": 0, "urgency": 16, "flags": 0, "version": 1 })),
            event("validate", json!({})),
            event("depend", json!({})),
            event("priority", json!({ "priority": priority })),
        ],
        "jobspec": {
            "resources": [{ "type": "slot", "count": 1, "with": [{ "type": "core", "count": 1 }] }],
            "attributes": { "system": { "duration": 60.0, "queue": "batch" } },
        },
    });
    take(jobs, message.to_string().as_bytes());
}

/// Core `core` of rank `rank` for a job.
fn alloc(jobs: &mut Jobs, id: u64, rank: u32, core: u32) {
    let message = json!({
        "id": id,
        "events": [{ "timestamp": 2.0, "name": "alloc" }],
        "R": r(rank, core),
    });
    take(jobs, message.to_string().as_bytes());
}

fn r(rank: u32, core: u32) -> Value {
    let lite = json!([{ "rank": rank.to_string(), "children": { "core": core.to_string() } }]);
    json!({ "version": 1, "execution": { "R_lite": lite, "expiration": 100.0 } })
}

fn set(rank: u32, core: u32) -> ResourceSet {
    serde_json::from_value(r(rank, core)).unwrap()
}

#[test]
fn what_real_brokers_sent_leads_to_the_jobs_that_they_listed() {
    // Five held jobs before and after three that ran.
    for release in ["v0.72.0", "v0.88.0"] {
        let (mut jobs, mut live) = (Jobs::default(), 0);
        let mut most = Numbers::default();
        for payload in payloads(release, "18-journal") {
            live += u32::from(take(&mut jobs, &payload));
            let now = *jobs.numbers();
            most.run = most.run.max(now.run);
            most.cleanup = most.cleanup.max(now.cleanup);
        }
        assert_eq!(live, 1, "{release}");
        assert!(most.run > 0 && most.cleanup > 0, "{release}: {most:?}");
        let held = jobs.waiting().iter().filter(|job| job.held).count();
        assert_eq!(jobs.numbers().active(), held as u64, "{release}");
        assert!(jobs.allocated().is_empty(), "{release}");
    }
}

#[test]
fn a_recorded_day_of_two_queues_is_followed_event_by_event() {
    let (mut jobs, mut seen) = (Jobs::default(), Vec::new());
    for payload in payloads("v0.88.0-59", "stream-events-journal-full") {
        take(&mut jobs, &payload);
        let numbers = *jobs.numbers();
        let state = (numbers.sched, numbers.run, jobs.allocated().nodes(), jobs.allocated().gpus());
        if seen.last() != Some(&state) {
            seen.push(state);
        }
    }
    // One node; two nodes with a GPU each; three whole nodes wait, and four cores and a held job
    // behind them, until both have ended; then all but the held one run.
    let start = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 1, 0), (1, 1, 1, 0), (0, 2, 3, 2)];
    let rest = [
        (1, 2, 3, 2),
        (2, 2, 3, 2),
        (3, 2, 3, 2),
        (3, 1, 3, 2),
        (3, 1, 1, 0),
        (3, 0, 1, 0),
        (3, 0, 0, 0),
        (2, 1, 3, 12),
        (1, 2, 4, 12),
    ];
    assert_eq!(seen[..start.len()], start);
    assert_eq!(seen[start.len()..][..rest.len()], rest);
    let batch = jobs.queues().get("batch").unwrap();
    assert_eq!(batch.run + batch.cleanup, 0);
}

#[test]
fn every_event_of_rfc_21_moves_a_job_as_job_manager_moves_it() {
    let depend = Numbers { depend: 1, ..Numbers::default() };
    let priority = Numbers { priority: 1, ..Numbers::default() };
    let sched = Numbers { sched: 1, ..Numbers::default() };
    let run = Numbers { run: 1, ..Numbers::default() };
    let cleanup = Numbers { cleanup: 1, ..Numbers::default() };
    let none = Numbers::default();
    let fatal = json!({ "type": "cancel", "severity": 0 });
    let (empty, urgency) = (json!({}), json!({ "urgency": 20 }));
    let prio = json!({ "priority": 20 });
    type Steps<'a> = &'a [(&'a str, &'a Value, Numbers)];
    let table: [(&str, Steps<'_>); 6] = [
        ("a hold and its end", &[("urgency", &urgency, priority), ("priority", &prio, sched)]),
        ("a restart", &[("flux-restart", &empty, priority), ("priority", &prio, sched)]),
        (
            "a cancel while it waits",
            &[("exception", &fatal, cleanup), ("clean", &empty, none), ("clean", &empty, none)],
        ),
        (
            "a run",
            &[
                ("annotations", &empty, sched),
                ("alloc", &empty, run),
                ("start", &empty, run),
                ("memo", &empty, run),
                ("exception", &json!({ "type": "x", "severity": 3 }), run),
                ("finish", &empty, cleanup),
                ("exception", &fatal, cleanup),
                ("release", &empty, cleanup),
                ("free", &empty, cleanup),
                ("clean", &empty, none),
            ],
        ),
        ("an update", &[("jobspec-update", &empty, priority), ("depend", &empty, priority)]),
        ("nothing out of order", &[("clean", &empty, sched), ("finish", &empty, sched)]),
    ];
    for (what, events) in table {
        let mut jobs = Jobs::default();
        submitted(&mut jobs, 1, 16);
        assert_eq!(*jobs.numbers(), sched);
        for (name, context, want) in events {
            event(&mut jobs, 1, name, context);
            assert_eq!(jobs.numbers(), want, "{what}: {name}");
            let batch = jobs.queues().get("batch").unwrap();
            assert_eq!(batch, want, "{what}: {name}, of the queue");
        }
    }
    let mut jobs = Jobs::default();
    event(&mut jobs, 1, "submit", &empty);
    assert_eq!(*jobs.numbers(), none, "NEW is counted nowhere");
    event(&mut jobs, 1, "validate", &empty);
    assert_eq!(*jobs.numbers(), depend);
    assert_eq!(jobs.flow(), Flow { submitted: 1, ended: 0 });
    event(&mut jobs, 2, "submit", &empty);
    event(&mut jobs, 2, "invalidate", &empty);
    event(&mut jobs, 2, "validate", &empty);
    assert_eq!(*jobs.numbers(), depend, "one that is not valid was never there");
    assert_eq!(jobs.flow(), Flow { submitted: 1, ended: 0 });
}

#[test]
fn jobs_wait_in_the_order_of_the_queue_with_what_they_ask_for() {
    let mut jobs = Jobs::default();
    for (id, priority) in [(5, 16), (3, 16), (9, 30), (4, 0)] {
        submitted(&mut jobs, id, priority);
    }
    event(
        &mut jobs,
        3,
        "jobspec-update",
        &json!({
            "attributes.system.duration": 5.0,
            "attributes.system.queue": "debug",
        }),
    );
    event(&mut jobs, 3, "priority", &json!({ "priority": 16 }));
    let waiting = jobs.waiting();
    let rows = waiting.iter().map(|job| (job.queue.as_deref().unwrap(), job.duration, job.held));
    let want = [
        ("batch", 60.0, false),
        ("debug", 5.0, false),
        ("batch", 60.0, false),
        ("batch", 60.0, true),
    ];
    assert!(rows.eq(want), "{waiting:?}");
    assert!(waiting.iter().all(|job| job.request == Some(Request::slots(1, 1, 0))));
    assert_eq!(jobs.queues()["debug"].sched, 1);
    assert_eq!(jobs.queues()["batch"].sched, 3);

    event(&mut jobs, 5, "jobspec-update", &json!({ "resources": [] }));
    event(&mut jobs, 5, "priority", &json!({ "priority": 99 }));
    assert_eq!(jobs.waiting()[0].request, None, "of another size only a part is told");
}

#[test]
fn what_jobs_hold_is_theirs_from_alloc_to_free() {
    let mut jobs = Jobs::default();
    submitted(&mut jobs, 1, 16);
    submitted(&mut jobs, 2, 16);
    alloc(&mut jobs, 1, 0, 0);
    alloc(&mut jobs, 2, 0, 1);
    assert_eq!((jobs.allocated().nodes(), jobs.allocated().cores()), (1, 2));
    assert_eq!(
        jobs.ends().map(|(_, nodes, end)| (nodes, end)).collect::<Vec<_>>(),
        [(1, 100.0); 2]
    );
    event(&mut jobs, 2, "resource-update", &json!({ "expiration": 150.0 }));
    assert_eq!(jobs.ends().map(|(.., end)| end).collect::<Vec<_>>(), [100.0, 150.0]);
    let before = jobs.allocations();
    event(&mut jobs, 1, "finish", &json!({ "status": 0 }));
    event(&mut jobs, 1, "release", &json!({ "ranks": "all", "final": true }));
    assert_eq!((jobs.allocated().cores(), jobs.allocations()), (2, before));
    event(&mut jobs, 1, "free", &json!({}));
    assert_eq!(*jobs.allocated(), set(0, 1));
    assert_ne!(jobs.allocations(), before);

    submitted(&mut jobs, 3, 16);
    event(&mut jobs, 3, "set-flags", &json!({ "flags": ["alloc-bypass"] }));
    alloc(&mut jobs, 3, 5, 0);
    assert_eq!(*jobs.allocated(), set(0, 1), "what bypasses the scheduler is not allocated by it");
}

#[test]
fn a_journal_that_cannot_be_followed_is_refused() {
    for payload in payloads("v0.60.0", "18-journal") {
        assert!(matches!(Message::read(&payload), Err(Unusable::Old)));
    }
    for broken in
        ["", "{}", r#"{"id":1}"#, r#"{"id":1,"events":{}}"#, r#"{"id":1,"events":[],"R":7}"#]
    {
        assert!(Message::read(broken.as_bytes()).is_err(), "{broken}");
    }
    // The end of the backlog, however a broker prints it.
    for id in ["-1", "18446744073709551615"] {
        let json = format!(r#"{{"id":{id},"events":[]}}"#);
        assert!(matches!(Message::read(json.as_bytes()), Ok(Message::Live)), "{id}");
    }
    // A jobspec that is not understood is that of a job whose size is not known.
    let mut jobs = Jobs::default();
    submitted(&mut jobs, 1, 16);
    let odd = json!({
        "id": 2,
        "events": [
            { "timestamp": 1.0, "name": "submit" },
            { "timestamp": 1.0, "name": "validate" },
            { "timestamp": 1.0, "name": "depend" },
            { "timestamp": 1.0, "name": "priority", "context": { "priority": 1 } },
        ],
        "jobspec": 7,
    });
    take(&mut jobs, odd.to_string().as_bytes());
    assert_eq!(jobs.waiting()[1].request, None);
}

#[test]
fn more_jobs_than_are_kept_are_refused_and_not_forgotten() {
    let mut jobs = Jobs::default();
    for id in 0..MAX_ACTIVE_JOBS as u64 {
        event(&mut jobs, id, "submit", &json!({}));
    }
    let one_more =
        json!({ "id": u64::MAX - 1, "events": [{ "timestamp": 1.0, "name": "submit" }] });
    let one_more = one_more.to_string();
    let Message::Job(events) = Message::read(one_more.as_bytes()).unwrap() else { panic!() };
    assert!(matches!(jobs.take(&events), Err(Unusable::TooMany)));
    event(&mut jobs, 3, "invalidate", &json!({}));
    assert!(jobs.take(&events).is_ok());
}

proptest! {
    /// Whatever comes in whatever order, the sums are those of the jobs.
    #[test]
    fn sums_are_those_of_the_jobs(steps in proptest::collection::vec((0_u64..6, 0_usize..9), 0..200)) {
        let mut jobs = Jobs::default();
        for (id, step) in steps {
            match step {
                0 => submitted(&mut jobs, id, id % 3),
                1 => alloc(&mut jobs, id, u32::try_from(id).unwrap(), 0),
                2 => event(&mut jobs, id, "free", &json!({})),
                3 => event(&mut jobs, id, "finish", &json!({})),
                4 => event(&mut jobs, id, "clean", &json!({})),
                5 => event(&mut jobs, id, "exception", &json!({ "severity": 0 })),
                6 => event(&mut jobs, id, "urgency", &json!({ "urgency": 3 })),
                7 => event(&mut jobs, id, "priority", &json!({ "priority": 7 })),
                _ => event(&mut jobs, id, "jobspec-update", &json!({ "attributes.system.queue": "q" })),
            }
            prop_assert_eq!(jobs.waiting().len() as u64, jobs.numbers().sched);
            let held = jobs.ends().count();
            prop_assert_eq!(jobs.allocated().nodes(), held);
            let sum: u64 = jobs.queues().values().map(Numbers::active).sum();
            prop_assert_eq!(sum, jobs.numbers().active());
        }
    }
}
