//! RFC 14 and 25 jobspecs, counted by the rules of libjj, so that the numbers are those of
//! `flux jobs`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::{Constraint, ConstraintError, Nodes, Request};

/// What a jobspec says of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobspec {
    /// What it asks for.
    pub request: Request,
    /// Where it may run; `None` is everywhere.
    pub constraint: Option<Arc<Constraint>>,
}

/// A jobspec whose size is not known.
#[derive(Debug, thiserror::Error)]
pub enum JobspecError {
    /// Not JSON, or without `resources`.
    #[error("not a jobspec")]
    Json(#[from] serde_json::Error),
    /// A count that is a range, an idset, or no number that a job can have.
    #[error("the count of {0} is no whole number from 1 to 4294967295")]
    Count(String),
    /// Neither cores nor GPUs nor whole nodes.
    #[error("it asks for neither cores nor GPUs nor whole nodes")]
    Nothing,
    /// Where it may run is not known.
    #[error("its constraint is not understood")]
    Constraint(#[from] ConstraintError),
}

/// A jobspec as it was read.
#[derive(Debug, Default, Deserialize)]
pub struct Spec {
    resources: Vec<Vertex>,
    #[serde(default)]
    attributes: Attributes,
}

impl Jobspec {
    /// Reads a jobspec.
    ///
    /// # Errors
    ///
    /// When its size, or where it may run, cannot be told.
    pub fn from_json(json: &[u8]) -> Result<Self, JobspecError> {
        Spec::from_json(json)?.jobspec()
    }
}

impl Spec {
    /// Reads a jobspec, whatever it asks for.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn from_json(json: &[u8]) -> Result<Self, JobspecError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// What it asks for, and where.
    ///
    /// # Errors
    ///
    /// When its size, or where it may run, cannot be told.
    pub fn jobspec(&self) -> Result<Jobspec, JobspecError> {
        let constraint = self.attributes.system.constraints.as_ref();
        let constraint = constraint.map(|value| Constraint::parse(value).map(Arc::new));
        let mut counts = Counts::default();
        counts.walk(&self.resources, 1)?;
        Ok(Jobspec { request: counts.request()?, constraint: constraint.transpose()? })
    }

    /// The queue that it names.
    pub fn queue(&self) -> Option<&str> {
        self.attributes.system.queue.as_ref()?.as_str()
    }

    /// Seconds that the job may run; 0 is for ever.
    pub fn duration(&self) -> f64 {
        self.attributes.system.duration.as_ref().and_then(Value::as_f64).unwrap_or_default()
    }
}

#[derive(Debug, Default, Deserialize)]
struct Attributes {
    #[serde(default)]
    system: System,
}

/// Each as it was sent: one that is none does not spoil the others.
#[derive(Debug, Default, Deserialize)]
struct System {
    constraints: Option<Value>,
    queue: Option<Value>,
    duration: Option<Value>,
}

/// A resource. serde_json bounds how deep they nest.
#[derive(Debug, Deserialize)]
struct Vertex {
    #[serde(rename = "type")]
    kind: String,
    count: Value,
    #[serde(default)]
    exclusive: bool,
    #[serde(default)]
    with: Vec<Self>,
}

/// What libjj keeps of its way through the resources.
#[derive(Default)]
struct Counts {
    nodes: Option<Nodes>,
    slots: u32,
    cores: u32,
    gpus: u32,
}

impl Counts {
    /// Depth first. Nodes are multiplied by what they are in, such as racks; of a slot, a core and a
    /// GPU only the own count matters, and the last one of each kind.
    fn walk(&mut self, vertices: &[Vertex], product: u32) -> Result<(), JobspecError> {
        for Vertex { kind, count, exclusive, with } in vertices {
            let wrong = || JobspecError::Count(kind.chars().take(64).collect());
            let count = count.as_u64().and_then(|count| u32::try_from(count).ok());
            let count = count.filter(|count| *count > 0).ok_or_else(wrong)?;
            let product = product.checked_mul(count).ok_or_else(wrong)?;
            match kind.as_str() {
                "node" => {
                    let exclusive = *exclusive || self.nodes.is_some_and(|nodes| nodes.exclusive);
                    self.nodes = Some(Nodes { count: product, exclusive });
                }
                "slot" => self.slots = count,
                "core" => self.cores = count,
                "gpu" => self.gpus = count,
                _ => {}
            }
            self.walk(with, product)?;
        }
        Ok(())
    }

    fn request(self) -> Result<Request, JobspecError> {
        let Self { nodes, slots, cores, gpus } = self;
        let whole = nodes.is_some_and(|nodes| nodes.exclusive);
        if (slots == 0 || cores == 0 && gpus == 0) && !whole {
            return Err(JobspecError::Nothing);
        }
        Ok(Request { nodes, slots: slots.max(1), cores, gpus: Some(gpus) })
    }
}

#[cfg(test)]
mod tests;
