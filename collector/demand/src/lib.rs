//! What the waiting jobs of a Flux instance need, and the smallest cluster that holds them.
//!
//! Pure: the state of an instance goes in, numbers come out. No I/O and no clock; where the state
//! comes from (a list that was polled, a journal that was followed, a trace that is played) is the
//! caller's affair.
//!
//! ```text
//!  jobspec ─▶ request ─┐
//!  constraint ─────────┼─▶ jobs ──┐
//!  queues ─────────────┘          ├─▶ demand: nodes, cores, GPUs, backlog, by queue ─┐
//!  resource set ─▶ instance ──────┘   packing: the size ─▶ hold_down ────────────────┴─▶ metrics
//! ```
//!
//! # The size
//!
//! The size of a MiniCluster is a number of ranks: index *i* of the Job is rank *i*, and the highest
//! indexes are removed first. So the size that an autoscaler should choose is the smallest *n* such
//! that ranks 0 to *n*−1 hold every running job where it is and all waiting jobs at once:
//!
//! - Ranks that are drained or torpid take no job, excluded ones are not there. Offline ranks take
//!   jobs: their pods are coming, so that the size does not change while they do.
//! - Jobs are placed in the order of the queue, each on the lowest ranks that have room for it (first
//!   fit). It is placed as a whole or not at all; small jobs share a node, and fill what running jobs
//!   leave of theirs.
//! - A job that finds no room beside the others wants every rank that it could run on.
//! - A job that has no room even when nothing else runs wants nothing, and is counted apart.
//!
//! First fit needs no search for *n*: a job that fits below rank *n* is placed below it, so that one
//! pass over all ranks gives the smallest *n* for which this rule finds room. For whole nodes, for
//! single cores, and for slots that are all alike no other placement is smaller. For others the
//! smallest one is a bin packing problem, and first fit may ask for a node more, as Flux's own
//! scheduler would, which takes jobs in the same order. A scheduler that spreads jobs may leave a job
//! waiting where first fit had room; the next state shows that, and the size follows.
//!
//! # What it costs
//!
//! Jobs × ranks at worst: where no two jobs are alike, each looks at every rank. Jobs that need the same
//! of the same ranks share what was found out, and cost ranks + jobs. `cargo bench -p flux-demand`:
//!
//! ```text
//! 10,000 alike jobs, 1,000 ranks                 0.99 ms
//! 10,000 jobs of 64 kinds, 1,000 ranks           1.06 ms
//! 10,000 jobs, no two alike, 1,000 ranks       113.98 ms
//! ```
//!
//! [`MAX_JOBS`], [`MAX_CLASSES`] and [`MAX_VISITS`] bound it; over them there is no answer.

mod constraint;
mod demand;
mod hold_down;
mod idle;
mod instance;
mod jobspec;
mod packing;
mod request;
mod tolerance;

pub use crate::{
    constraint::{Constraint, ConstraintError, MAX_HOSTS, MAX_TERMS},
    demand::{Demand, Job, MAX_CLASSES, MAX_JOBS, Queue, TooMuch, Totals},
    hold_down::{HoldDown, MAX_STEPS},
    idle::Idle,
    instance::{Instance, MAX_RANK},
    jobspec::{Jobspec, JobspecError, Spec},
    packing::MAX_VISITS,
    request::{Need, Nodes, Request},
    tolerance::past_tolerance,
};
