//! The active jobs of an instance, kept by events as RFC 21 defines them.
//!
//! ```text
//!  job-manager.events-journal ─▶ message ─▶ job ─▶ jobs ─┬─▶ numbers, by state and queue
//!                                                        ├─▶ jobs that wait, in the queue's order
//!                                                        └─▶ what running jobs hold
//! ```
//!
//! Pure: no I/O and no clock. The messages come from [`crate::sources::journal`], and a job that is
//! inactive is forgotten with the event that says so.

mod job;
mod jobs;
mod message;
#[cfg(test)]
mod tests;

pub use self::{
    job::State,
    jobs::{Flow, Jobs, MAX_ACTIVE_JOBS, Numbers},
    message::{JobEvents, Message, Unusable},
};
