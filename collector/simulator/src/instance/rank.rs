//! One rank: its broker's state, and who has each of its cores and gpus.

use super::{JobId, Need, Shape};

/// A rank of R.
#[derive(Clone, Debug)]
pub(super) struct Rank {
    pub(super) online: bool,
    pub(super) torpid: bool,
    pub(super) excluded: bool,
    /// Who has each core.
    pub(super) cores: Vec<Option<JobId>>,
    /// Who has each gpu.
    pub(super) gpus: Vec<Option<JobId>>,
}

impl Rank {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            online: true,
            torpid: false,
            excluded: false,
            cores: (0..shape.cores).map(|_| None).collect(),
            gpus: (0..shape.gpus).map(|_| None).collect(),
        }
    }

    /// How many slots of `need` still fit here.
    pub(super) fn slots(&self, need: Need) -> u32 {
        let free = |ids: &[Option<JobId>]| ids.iter().filter(|owner| owner.is_none()).count();
        let (cores, gpus) = (free(&self.cores), free(&self.gpus));
        let fit = match need {
            Need::Nodes(_) => usize::from(cores == self.cores.len() && gpus == self.gpus.len()),
            Need::Slots { cores: 0, gpus: 0, .. } => 0,
            Need::Slots { cores: each, gpus: 0, .. } => cores / each as usize,
            Need::Slots { cores: 0, gpus: each, .. } => gpus / each as usize,
            Need::Slots { cores: c, gpus: g, .. } => (cores / c as usize).min(gpus / g as usize),
        };
        u32::try_from(fit).unwrap_or(u32::MAX)
    }

    pub(super) fn allocate(&mut self, job: JobId, need: Need, slots: u32) {
        let (cores, gpus) = match need {
            Need::Nodes(_) => (self.cores.len(), self.gpus.len()),
            Need::Slots { cores, gpus, .. } => ((cores * slots) as usize, (gpus * slots) as usize),
        };
        let take = |ids: &mut [Option<JobId>], count| {
            let free = ids.iter_mut().filter(|owner| owner.is_none());
            free.take(count).for_each(|owner| *owner = Some(job));
        };
        take(&mut self.cores, cores);
        take(&mut self.gpus, gpus);
    }
}
