//! What waiting jobs need, counted from the model of a broker in the plainest way there is.

use flux_client::Idset;
use flux_simulator::{
    Simulator,
    instance::{Listed, Need, State},
};

/// Cores and GPUs of a rank of [`flux_simulator::Config::new`].
const CORES: u64 = 8;
const GPUS: u64 = 4;

/// What a metric of waiting jobs should be, of the instance or of a queue.
pub(super) fn truth(broker: &Simulator, metric: &str, queue: Option<&str>) -> f64 {
    let waiting = |job: &Listed| {
        job.state == State::Sched && queue.is_none_or(|queue| job.queue.as_deref() == Some(queue))
    };
    let (mut sum, mut largest, mut first) = (0, 0, 0);
    let mut size = broker.tallies(None).expect("an instance").cluster_size_min_safe;
    for job in broker.list().into_iter().filter(waiting) {
        let (nodes, cores, gpus) = needs(job.need);
        let usable = usable(broker, job.queue.as_deref());
        let (held, fits) = (job.urgency == 0, nodes <= usable.len());
        if !held && fits {
            largest = largest.max(nodes);
            first = if first == 0 { nodes } else { first };
            // Jobs of these tests wait since all ranks that they may use are too few or in use.
            size = size.max(usable.max().map_or(1, |rank| u64::from(rank) + 1));
        }
        sum += match metric {
            "job_held_count" => u64::from(held),
            _ if held => 0,
            "pending_unsatisfiable_count" => u64::from(!fits),
            _ if !fits => 0,
            "pending_nodes_demand" => nodes,
            "pending_cores_demand" => cores,
            "pending_gpus_demand" => gpus,
            "pending_unlimited_count" => u64::from(job.limit == 0.0),
            _ => 0,
        };
    }
    #[allow(clippy::cast_precision_loss, reason = "counts of a test are far below 2^53")]
    match metric {
        "pending_nodes_head" => first as f64,
        "pending_nodes_max" => largest as f64,
        "cluster_size_desired" => size as f64,
        // None of these instances has more than ten ranks.
        "cluster_size_desired_past_tolerance" => size as f64,
        "job_stopped_count" | "pending_unsized_count" | "pending_backlog_node_seconds" => 0.0,
        _ => sum as f64,
    }
}

/// Nodes, cores and GPUs.
fn needs(need: Need) -> (u64, u64, u64) {
    match need {
        Need::Nodes(nodes) => {
            let nodes = u64::from(nodes);
            (nodes, nodes * CORES, nodes * GPUS)
        }
        Need::Slots { count, cores, gpus } => {
            let [count, cores, gpus] = [count, cores, gpus].map(u64::from);
            let of_a_node = [(CORES, cores), (GPUS, gpus)];
            let slots = of_a_node.iter().filter_map(|(has, each)| has.checked_div(*each)).min();
            let nodes = count.div_ceil(slots.expect("cores or gpus").max(1));
            (nodes, count * cores, count * gpus)
        }
    }
}

/// The ranks of a queue that take jobs, or will when they are online.
fn usable(broker: &Simulator, queue: Option<&str>) -> Idset {
    let ranks = broker.usable();
    match queue {
        Some("batch") => ranks.intersection(&Idset::range(0, 2)),
        Some("debug") => ranks.intersection(&Idset::range(3, 3)),
        _ => ranks,
    }
}
