//! The sockets of a simulated instance, and the handle that tests steer it by.
//!
//! ```text
//!  Simulator (handle) ──change──▶ Shared: instance, faults ◀──look── connection per client
//!        │                                                               ▲
//!        └──mode──▶ door per rank: bind, accept ───────────spawn─────────┘
//! ```

use std::{io, path::PathBuf, time::Duration};

use flux_client::{Endpoint, Idset};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    day::Day,
    door::Door,
    faults::{Fault, Greeting, Plan},
    instance::{
        Hold, Instance, JobId, Listed, Need, Outcome, Outcomes, Queue, Shape, State, States,
        SubmitError, TakenOut, Tallies,
    },
    manners::Release,
    world::{Shared, World},
};

/// What to simulate. [`Config::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the sockets `local-<rank>` go; it has to exist.
    pub dir: PathBuf,
    /// What the ranks are made of.
    pub shape: Shape,
    /// In the order of the configuration; the first one is the default.
    pub queues: Vec<Queue>,
    /// The release whose manners are played.
    pub release: Release,
    /// Ranks that have a socket, from 0 on.
    pub sockets: u32,
    /// All clients are guests.
    pub guests: bool,
    /// Between two `heartbeat.pulse` events.
    pub heartbeat: Duration,
    /// Seconds since the epoch: the attribute `broker.starttime`.
    pub starttime: f64,
    /// A day of jobs to play; nothing happens by itself without one.
    pub day: Option<Day>,
}

impl Config {
    /// Four ranks with eight cores and four gpus, queues `batch` (0-2) and `debug` (3), release
    /// 0.88, a socket for rank 0, nothing that happens by itself.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let queue = |name: &str, first, last| Queue {
            name: name.to_owned(),
            ranks: Some(Idset::range(first, last)),
        };
        Self {
            dir: dir.into(),
            shape: Shape { size: 4, cores: 8, gpus: 4 },
            queues: vec![queue("batch", 0, 2), queue("debug", 3, 3)],
            release: Release::default(),
            sockets: 1,
            guests: false,
            heartbeat: Duration::from_secs(2),
            starttime: 1_795_461_865.11,
            day: None,
        }
    }
}

/// A running simulation. Dropping it ends it; [`shutdown`](Self::shutdown) also waits for that.
#[derive(Debug)]
pub struct Simulator {
    shared: Shared,
    dir: PathBuf,
    doors: Vec<Door>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Binds the sockets: when this returns, a client can connect.
    pub async fn start(config: Config) -> io::Result<Self> {
        let Config { dir, shape, queues, release, sockets, guests, heartbeat, starttime, day } =
            config;
        let shared = Shared::new(World {
            instance: Instance::new(shape, queues),
            release,
            faults: Plan::default(),
            guests,
            state: "run".to_owned(),
            starttime,
            started: Instant::now(),
            watchers: 0,
            rundir: dir.display().to_string(),
        });
        let mut simulator = Self {
            shared: shared.clone(),
            dir,
            doors: Vec::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        for rank in 0..sockets {
            let door = Door::new(simulator.socket(rank), rank);
            let listener = door.bind()?;
            let keeper = door.clone().keep(Some(listener), shared.clone(), simulator.tasks.clone());
            simulator.spawn(keeper);
            simulator.doors.push(door);
        }
        simulator.spawn(beat(shared.clone(), heartbeat));
        if let Some(day) = day {
            simulator.spawn(play(shared, day));
        }
        Ok(simulator)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled_owned(task).await;
        });
    }

    /// The socket of a rank, whether it is served or not.
    pub fn socket(&self, rank: u32) -> PathBuf {
        self.dir.join(format!("local-{rank}"))
    }

    /// Where a client of that rank connects.
    pub fn endpoint(&self, rank: u32) -> Result<Endpoint, flux_client::endpoint::ParseError> {
        Endpoint::local(self.socket(rank))
    }

    /// Submits a job; it starts at once where it fits. Without a queue it goes to the first one.
    pub fn submit(&self, need: Need, queue: Option<&str>) -> Result<JobId, SubmitError> {
        self.change(|instance| instance.submit(need, queue, None))
    }

    /// Submits a job that waits for [`release`](Self::release).
    pub fn submit_held(
        &self,
        need: Need,
        queue: Option<&str>,
        hold: Hold,
    ) -> Result<JobId, SubmitError> {
        self.change(|instance| instance.submit(need, queue, Some(hold)))
    }

    /// Submits a job with a time limit in seconds, which is told and not kept.
    pub fn submit_limited(
        &self,
        need: Need,
        queue: Option<&str>,
        limit: f64,
    ) -> Result<JobId, SubmitError> {
        self.change(|instance| instance.submit_limited(need, queue, None, limit))
    }

    /// Submits so many jobs at once.
    pub fn submit_many(
        &self,
        count: usize,
        need: Need,
        queue: Option<&str>,
    ) -> Result<(), SubmitError> {
        self.change(|instance| instance.submit_many(count, need, queue))
    }

    /// Lets a held job be scheduled.
    pub fn release(&self, job: JobId) {
        self.change(|instance| instance.release(job));
    }

    /// Moves a running job to CLEANUP.
    pub fn clean_up(&self, job: JobId) {
        self.change(|instance| instance.clean_up(job));
    }

    /// Makes a job inactive.
    pub fn finish(&self, job: JobId, outcome: Outcome) {
        self.change(|instance| instance.finish(job, outcome));
    }

    /// Forgets inactive jobs.
    pub fn purge(&self) {
        self.change(Instance::purge);
    }

    /// Drains ranks.
    pub fn drain(&self, ranks: &Idset, reason: &str) {
        self.shared.change(|world| {
            let now = world.now();
            world.instance.drain(ranks, reason, now);
        });
    }

    /// Undrains ranks.
    pub fn undrain(&self, ranks: &Idset) {
        self.change(|instance| instance.undrain(ranks));
    }

    /// A broker is gone, with its socket.
    pub fn lose(&self, rank: u32) {
        self.change(|instance| instance.lose(rank));
        self.door(rank).for_each(Door::close);
    }

    /// It is back.
    pub fn join(&self, rank: u32) {
        self.change(|instance| instance.join(rank));
        self.door(rank).for_each(Door::open);
    }

    /// Sets whether a broker is torpid.
    pub fn set_torpid(&self, rank: u32, torpid: bool) {
        self.change(|instance| instance.set_torpid(rank, torpid));
    }

    /// Sets the excluded ranks.
    pub fn exclude(&self, ranks: &Idset) {
        self.change(|instance| instance.exclude(ranks));
    }

    /// Sets whether the jobs of a queue are scheduled.
    pub fn set_started(&self, queue: &str, started: bool) {
        self.change(|instance| instance.set_started(queue, started));
    }

    /// Sets the state that `state-machine.get` tells, `run` at the start.
    pub fn set_state(&self, state: &str) {
        self.shared.change(|world| state.clone_into(&mut world.state));
    }

    /// Publishes a heartbeat between two regular ones.
    pub fn pulse(&self) {
        self.shared.pulse();
    }

    /// The true numbers of `flux resource list`; `None` where there is no such queue.
    pub fn tallies(&self, queue: Option<&str>) -> Option<Tallies> {
        self.shared.world().instance.tallies(queue)
    }

    /// The ranks that are taken out of use.
    pub fn taken_out(&self) -> TakenOut {
        self.shared.world().instance.taken_out()
    }

    /// Jobs that the scheduler has not been asked to place yet, and those that it has.
    pub fn asked_for(&self) -> (usize, usize) {
        self.shared.world().instance.asked_for()
    }

    /// The release that is played.
    pub fn release_played(&self) -> Release {
        self.shared.world().release
    }

    /// Whether the jobs of a queue are scheduled.
    pub fn is_started(&self, queue: &str) -> bool {
        self.shared.world().instance.is_started(queue)
    }

    /// The ranks that take jobs, or would if their brokers were online: neither drained nor torpid
    /// nor excluded.
    pub fn usable(&self) -> Idset {
        self.shared.world().instance.usable()
    }

    /// The active jobs.
    pub fn list(&self) -> Vec<Listed> {
        self.shared.world().instance.list()
    }

    /// The true numbers of jobs by state; `None` where there is no such queue.
    pub fn states(&self, queue: Option<&str>) -> Option<States> {
        self.shared.world().instance.states(queue)
    }

    /// The true numbers of inactive jobs; `None` where there is no such queue.
    pub fn ended(&self, queue: Option<&str>) -> Option<Outcomes> {
        self.shared.world().instance.ended(queue)
    }

    /// The state of an active job.
    pub fn state(&self, job: JobId) -> Option<State> {
        self.shared.world().instance.state(job)
    }

    /// The attribute `broker.starttime`.
    pub fn starttime(&self) -> f64 {
        self.shared.world().starttime
    }

    /// Streams of job-stats that clients have open.
    pub fn watchers(&self) -> usize {
        self.shared.world().watchers
    }

    /// From now on answers to `topic` (or [`ANY_TOPIC`](crate::faults::ANY_TOPIC)) have this fault.
    pub fn fault(&self, topic: &str, fault: Fault) {
        self.shared.change(|world| world.faults.set(topic, fault));
    }

    /// Answers to `topic` are right again.
    pub fn heal(&self, topic: &str) {
        self.shared.change(|world| world.faults.clear(topic));
    }

    /// How connections begin from now on.
    pub fn greet(&self, greeting: Greeting) {
        self.shared.change(|world| world.faults.greeting = greeting);
    }

    /// Whether each byte is written by itself.
    pub fn write_single_bytes(&self, single: bool) {
        self.shared.change(|world| world.faults.single_bytes = single);
    }

    /// Whether guests connect, not the owner.
    pub fn set_guests(&self, guests: bool) {
        self.shared.change(|world| world.guests = guests);
    }

    /// Leaves new connections in the backlog, without a word, until told otherwise.
    pub fn accept(&self, accept: bool) {
        self.doors.iter().for_each(|door| door.set(|mode| mode.accept = accept));
    }

    /// Ends all connections; the sockets stay.
    pub fn drop_connections(&self) {
        self.doors.iter().for_each(Door::hang_up);
    }

    /// The brokers are gone and their sockets with them, until [`come_back`](Self::come_back).
    pub fn go_away(&self) {
        self.doors.iter().for_each(Door::close);
    }

    /// The brokers are there again: new ones, with a later start time and new sockets. Returns when
    /// they can be connected to.
    pub async fn come_back(&self) {
        self.shared.change(|world| {
            // A broker cannot be back within the time that the attribute resolves.
            world.starttime = world.now().max(world.starttime + 0.01);
            world.started = Instant::now();
        });
        self.doors.iter().for_each(Door::open);
        for door in &self.doors {
            door.bound().await;
        }
    }

    /// [`go_away`](Self::go_away) and [`come_back`](Self::come_back) at once.
    pub async fn restart(&self) {
        self.go_away();
        self.come_back().await;
    }

    /// Ends the simulation and waits until its sockets are gone.
    pub async fn shutdown(self) {
        self.go_away();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // One that was being bound on another thread when the doors were closed.
        self.doors.iter().for_each(Door::close);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Instance) -> T) -> T {
        self.shared.change(|world| {
            let now = world.now();
            world.instance.at(now);
            change(&mut world.instance)
        })
    }

    fn door(&self, rank: u32) -> impl Iterator<Item = &Door> {
        self.doors.iter().filter(move |door| door.rank() == rank)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.doors.iter().for_each(Door::close);
        self.stop.cancel();
    }
}

/// Publishes the heartbeat.
async fn beat(shared: Shared, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.pulse();
    }
}

/// Plays the day, as fast as it says.
async fn play(shared: Shared, mut day: Day) {
    let mut ticks = interval(DAY_STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Instant::now();
    loop {
        ticks.tick().await;
        shared.change(|world| {
            let now = world.now();
            world.instance.at(now);
            day.advance(&mut world.instance, start.elapsed(), now);
        });
    }
}

/// Between two looks at the day: finer than what job-stats and an eye can follow.
const DAY_STEP: Duration = Duration::from_millis(50);
