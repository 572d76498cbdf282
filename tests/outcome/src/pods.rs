//! Pods of a MiniCluster, as the Flux Operator and the Job controller make and remove them.

use flux_simulator::instance::Instance;

use crate::Second;

/// From `spec.size` to the pods' creation or deletion: the operator and the Job controller react.
pub const OPERATOR: Second = 1;

/// From a pod's creation until its broker takes jobs: scheduled, started, joined; the image is there.
pub const START: Second = 20;

/// From a pod's deletion until its broker is gone, with the `preStopExec` of
/// `deploy/examples/minicluster.yaml`; without it 30, the grace period, since nobody passes SIGTERM on to
/// the broker. Until then Flux starts jobs there.
pub const GRACE: Second = 2;

/// How long what physically happens takes.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// See [`OPERATOR`].
    pub operator: Second,
    /// See [`START`].
    pub start: Second,
    /// See [`GRACE`].
    pub grace: Second,
}

/// The pods by index, which is the rank of the broker.
#[derive(Debug)]
pub struct Pods {
    delays: Delays,
    pods: Vec<Pod>,
    /// What the operator has acted on.
    size: u32,
    /// What it will act on.
    next: Option<(Second, u32)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pod {
    /// Its broker is connected.
    up: bool,
    /// When that ends.
    dies: Option<Second>,
    /// When the broker of a new pod connects.
    joins: Option<Second>,
}

impl Pods {
    /// A MiniCluster of one node that may have `most`.
    pub fn new(delays: Delays, most: u32, flux: &mut Instance) -> Self {
        (1..most).for_each(|rank| flux.lose(rank));
        let mut pods = vec![Pod::default(); most as usize];
        pods[0].up = true;
        Self { delays, pods, size: 1, next: None }
    }

    /// What `spec.size` is.
    pub fn size(&self) -> u32 {
        self.next.map_or(self.size, |(_, size)| size)
    }

    /// Writes `spec.size`.
    pub fn resize(&mut self, now: Second, size: u32) {
        if size != self.size() {
            self.next = Some((now + self.delays.operator, size));
        }
    }

    /// Pods that are ready.
    pub fn ready(&self) -> u32 {
        self.pods.iter().filter(|pod| pod.up && pod.dies.is_none()).count() as u32
    }

    /// Pods that there are, each of which takes a node.
    pub fn nodes(&self) -> u32 {
        let of = |pod: &Pod| u32::from(pod.up) + u32::from(pod.joins.is_some());
        self.pods.iter().map(of).sum()
    }

    /// Lets a second pass. `lost` is told of each rank that goes.
    pub fn step(
        &mut self,
        now: Second,
        flux: &mut Instance,
        mut lost: impl FnMut(&mut Instance, u32),
    ) {
        if let Some((at, size)) = self.next
            && at <= now
        {
            (self.size, self.next) = (size, None);
            let delays = self.delays;
            for (index, pod) in (0..).zip(&mut self.pods) {
                if index >= size {
                    pod.joins = None;
                    if pod.up && pod.dies.is_none() {
                        pod.dies = Some(now + delays.grace);
                    }
                } else if pod.joins.is_none() && (!pod.up || pod.dies.is_some()) {
                    // An index that ends gets its new pod at once.
                    pod.joins = Some(now + delays.start);
                }
            }
        }
        for (rank, pod) in (0..).zip(&mut self.pods) {
            let (dies, joins) = (pod.dies == Some(now), pod.joins == Some(now));
            if pod.up && (dies || joins) {
                lost(flux, rank);
                (pod.up, pod.dies) = (false, None);
            }
            if joins {
                flux.join(rank);
                *pod = Pod { up: true, ..Pod::default() };
            }
        }
    }
}
