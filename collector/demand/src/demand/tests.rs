//! Cases that were worked out by hand.

use flux_client::ResourceSet;
use serde_json::json;

use super::*;

const NOW: f64 = 1_000.0;

/// What a case is made of: 16 ranks of 8 cores and 2 GPUs unless it says otherwise.
struct Case {
    ranks: &'static str,
    /// Ranks, cores and GPUs that jobs hold.
    allocated: Vec<[&'static str; 3]>,
    unusable: &'static str,
    gpus: &'static str,
    queues: BTreeMap<Arc<str>, Queue>,
    jobs: Vec<Job>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            ranks: "0-15",
            allocated: Vec::new(),
            unusable: "",
            gpus: "0-1",
            queues: BTreeMap::new(),
            jobs: Vec::new(),
        }
    }
}

impl Case {
    fn of(jobs: impl IntoIterator<Item = Job>) -> Self {
        Self { jobs: jobs.into_iter().collect(), ..Self::default() }
    }

    fn measure(&self) -> Demand {
        let set = |entries: &[[&str; 3]]| {
            let lite: Vec<_> = entries
                .iter()
                .map(|[rank, core, gpu]| {
                    json!({"rank": rank, "children": {"core": core, "gpu": gpu}})
                })
                .collect();
            let json = json!({"version": 1, "execution": {"R_lite": lite}}).to_string();
            ResourceSet::from_json(json.as_bytes()).unwrap()
        };
        let all = set(&[[self.ranks, "0-7", self.gpus]]);
        let unusable = self.unusable.parse().unwrap();
        let allocated = set(&self.allocated);
        let instance = Instance::new(all, &allocated, &unusable).unwrap();
        Demand::of(&instance, &self.queues, true, &self.jobs, NOW).unwrap()
    }

    fn size(&self) -> u32 {
        self.measure().size.unwrap()
    }
}

fn job(request: Request) -> Job {
    Job {
        request: Some(request),
        constraint: None,
        queue: None,
        held: false,
        submitted: NOW,
        duration: 0.0,
    }
}

fn nodes(count: u32) -> Job {
    job(Request::whole_nodes(count))
}

fn cores(count: u32) -> Job {
    job(Request::slots(count, 1, 0))
}

#[test]
fn rank_0_busy_and_a_job_of_12_nodes_waiting_make_13() {
    for allocated in [["0", "0-7", "0-1"], ["0", "3", ""]] {
        let case = Case { allocated: vec![allocated], ..Case::of([nodes(12)]) };
        assert_eq!(case.size(), 13);
    }
}

#[test]
fn an_empty_instance_wants_its_lead_and_a_busy_one_what_runs() {
    assert_eq!(Case::default().size(), 1);
    let case = Case { allocated: vec![["6", "0", ""]], ..Case::default() };
    assert_eq!(case.size(), 7);
    // On an excluded rank, too.
    let case = Case { ranks: "0-3", allocated: vec![["6", "0", ""]], ..Case::default() };
    assert_eq!(case.size(), 7);
}

#[test]
fn holes_that_running_jobs_leave_are_used_first() {
    // Ranks 0 and 3 are busy: 1, 2, 4 take the three nodes.
    let busy = vec![["0,3", "0-7", "0-1"]];
    assert_eq!(Case { allocated: busy.clone(), ..Case::of([nodes(3)]) }.size(), 5);
    assert_eq!(Case { allocated: busy, ..Case::of([nodes(2)]) }.size(), 4);
}

#[test]
fn ranks_that_take_no_job_are_stepped_over() {
    // 0, 2, 5 to 7 are what is left of the first eight.
    let case = Case { unusable: "1,3-4", ..Case::of([nodes(5)]) };
    assert_eq!(case.size(), 8);
    // Rank 9 was drained while its job runs on.
    let case = Case { unusable: "9", allocated: vec![["9", "0-7", ""]], ..Case::of([nodes(1)]) };
    assert_eq!(case.size(), 10);
}

#[test]
fn small_jobs_share_nodes_and_fill_those_in_use() {
    assert_eq!(Case::of((0..8).map(|_| cores(1))).size(), 1);
    assert_eq!(Case::of((0..9).map(|_| cores(1))).size(), 2);
    let half = vec![["0", "0-3", ""]];
    assert_eq!(Case { allocated: half.clone(), ..Case::of([cores(4)]) }.size(), 1);
    assert_eq!(Case { allocated: half, ..Case::of([cores(5)]) }.size(), 2);
    // A slot is on one node: one of five cores fits beside no other.
    assert_eq!(Case::of([job(Request::slots(3, 5, 0))]).size(), 3);
    // What is left beside it takes smaller ones.
    let jobs = [job(Request::slots(2, 5, 0)), cores(6), cores(1)];
    assert_eq!(Case::of(jobs).size(), 3);
}

#[test]
fn gpus_are_what_runs_out_first() {
    let case = Case::of((0..5).map(|_| job(Request::slots(1, 1, 1))));
    assert_eq!(case.size(), 3);
    let totals = case.measure().instance;
    assert_eq!((totals.nodes, totals.cores, totals.gpus), (5, 5, Some(5)));
}

#[test]
fn named_nodes_are_different_ones_and_leave_room_when_not_exclusive() {
    let shared = Request {
        nodes: Some(crate::Nodes { count: 3, exclusive: false }),
        slots: 2,
        cores: 2,
        gpus: Some(0),
    };
    assert_eq!(Case::of([job(shared)]).size(), 3);
    assert_eq!(Case::of([job(shared), job(shared)]).size(), 3, "4 of 8 cores are left");
    let totals = Case::of([job(shared)]).measure().instance;
    assert_eq!((totals.nodes, totals.cores, totals.gpus), (3, 12, Some(0)));
    // Where a core is used nobody gets the node alone.
    assert_eq!(Case::of([cores(1), nodes(1)]).size(), 2);
}

#[test]
fn jobs_beside_one_another_want_at_most_all_that_there_is() {
    assert_eq!(Case::of([nodes(10), nodes(6)]).size(), 16);
    assert_eq!(Case::of([nodes(10), nodes(7)]).size(), 16);
    let totals = Case::of([nodes(10), nodes(7)]).measure().instance;
    assert_eq!((totals.nodes, totals.largest), (17, 10));
    assert_eq!((totals.cores, totals.gpus), (17 * 8, Some(34)));
}

#[test]
fn a_job_that_never_fits_wants_nothing_and_is_counted() {
    let case = Case::of([nodes(17), job(Request::slots(1, 9, 0)), cores(1)]);
    let demand = case.measure();
    assert_eq!(demand.size, Some(1));
    assert_eq!((demand.instance.unsatisfiable, demand.instance.nodes), (2, 1));
    // While a rank is drained, a job of all nodes has to wait for it whatever the size.
    let case = Case { unusable: "3", ..Case::of([nodes(16)]) };
    assert_eq!((case.size(), case.measure().instance.unsatisfiable), (1, 1));
    let case = Case { gpus: "", ..Case::of([job(Request::slots(1, 1, 1))]) };
    assert_eq!(case.measure().instance.unsatisfiable, 1);
}

#[test]
fn a_queue_confines_its_jobs_and_a_full_one_wants_no_more_than_its_ranks() {
    let queue = |ranks: &str| Queue { ranks: ranks.parse().unwrap(), started: true };
    let queues = BTreeMap::from([("batch".into(), queue("0-5")), ("debug".into(), queue("6-7"))]);
    let of = |queue: &str, job: Job| Job { queue: Some(queue.into()), ..job };
    let measure = |jobs: Vec<Job>| Case { queues: queues.clone(), ..Case::of(jobs) }.measure();
    assert_eq!(measure(vec![of("batch", nodes(2))]).size, Some(2));
    assert_eq!(measure(vec![of("debug", cores(1))]).size, Some(7));
    let demand = measure((0..50).map(|_| of("debug", nodes(1))).collect());
    assert_eq!((demand.size, demand.instance.nodes), (Some(8), 50));
    let demand = measure(vec![of("batch", nodes(3)), of("debug", cores(2))]);
    assert_eq!(demand.size, Some(7));
    let [batch, debug] = ["batch", "debug"].map(|queue| &demand.queues[queue]);
    assert_eq!((batch.nodes, batch.cores, debug.nodes, debug.cores), (3, 24, 1, 2));
    assert_eq!((demand.instance.nodes, demand.instance.cores), (4, 26));
    // A job has both the ranks of its queue and its own constraint.
    let ranks = |ranks: &str| Some(Arc::new(Constraint::Ranks(ranks.parse().unwrap())));
    let confined = Job { constraint: ranks("4-9"), ..of("batch", nodes(2)) };
    assert_eq!(measure(vec![confined]).size, Some(6));
    let nowhere = Job { constraint: ranks("9"), ..of("batch", nodes(1)) };
    assert_eq!(measure(vec![nowhere]).instance.unsatisfiable, 1);
}

#[test]
fn a_job_without_room_leaves_it_to_smaller_ones_behind_it() {
    let queue = |ranks: &str| Queue { ranks: ranks.parse().unwrap(), started: true };
    let queues = BTreeMap::from([("low".into(), queue("0-5")), ("all".into(), queue("0-15"))]);
    let of = |queue: &str, job: Job| Job { queue: Some(queue.into()), ..job };
    // Three of six are free: too few for four nodes, enough for three, and the last job goes above.
    let jobs = [of("low", nodes(4)), of("low", nodes(3)), of("all", nodes(1))];
    let case = Case { allocated: vec![["0-2", "0-7", ""]], queues, ..Case::of(jobs) };
    assert_eq!(case.size(), 7);
}

#[test]
fn only_what_more_nodes_would_help_demands_anything() {
    let queue = |started| Queue { ranks: Idset::range(0, 15), started };
    let queues = BTreeMap::from([("on".into(), queue(true)), ("off".into(), queue(false))]);
    let of = |queue: &str, job: Job| Job { queue: Some(queue.into()), ..job };
    let jobs = [
        of("on", Job { held: true, ..nodes(9) }),
        of("off", nodes(8)),
        of("off", Job { held: true, ..nodes(7) }),
        of("on", Job { request: None, ..nodes(1) }),
        of("nowhere", nodes(6)),
        of("on", nodes(2)),
    ];
    let Demand { size, instance, queues } = Case { queues, ..Case::of(jobs) }.measure();
    assert_eq!(size, Some(2));
    let counts = |totals: &Totals| {
        [totals.held, totals.stopped, totals.unsized_jobs, totals.unsatisfiable, totals.nodes]
    };
    assert_eq!(counts(&instance), [2, 1, 2, 0, 2]);
    assert_eq!(counts(&queues["on"]), [1, 0, 1, 0, 2]);
    assert_eq!(counts(&queues["off"]), [1, 1, 0, 0, 0]);
}

#[test]
fn time_is_summed_up_for_jobs_that_have_a_limit() {
    let with = |job: Job, submitted: f64, duration: f64| Job { submitted, duration, ..job };
    let jobs = [
        with(nodes(3), 400.0, 100.0),
        with(cores(9), 700.0, 10.0),
        with(nodes(1), 900.0, 0.0),
        Job { held: true, ..with(nodes(1), 100.0, 50.0) },
    ];
    let totals = Case::of(jobs).measure().instance;
    assert_eq!((totals.oldest_age, totals.unlimited), (600.0, 1));
    assert_eq!(totals.backlog_node_seconds, 3.0 * 100.0 + 2.0 * 10.0);
    assert_eq!(Case::default().measure().instance.oldest_age, 0.0);
}

#[test]
fn gpus_that_are_not_told_make_what_rests_on_them_unknown() {
    let told_less = job(Request { gpus: None, ..Request::slots(4, 2, 0) });
    let Demand { size, instance, .. } = Case::of([told_less.clone()]).measure();
    assert_eq!((size, instance.gpus, instance.cores), (None, None, 8));
    // Where there are none, nobody waits for one.
    let demand = Case { gpus: "", ..Case::of([told_less]) }.measure();
    assert_eq!((demand.size, demand.instance.gpus), (Some(1), Some(0)));
}

#[test]
fn more_than_the_bounds_is_no_answer() {
    let instance = Instance::default();
    let measure = |jobs: &[Job]| Demand::of(&instance, &BTreeMap::new(), true, jobs, NOW);
    let jobs: Vec<_> = (0..=MAX_JOBS).map(|_| cores(1)).collect();
    assert_eq!(measure(&jobs), Err(TooMuch::Jobs(MAX_JOBS + 1)));
    let on = |rank| Some(Arc::new(Constraint::Ranks(Idset::range(rank, rank))));
    let jobs: Vec<_> = (0..=u32::try_from(MAX_CLASSES).unwrap())
        .map(|rank| Job { constraint: on(rank), ..cores(1) })
        .collect();
    assert_eq!(measure(&jobs), Err(TooMuch::Classes));
}
