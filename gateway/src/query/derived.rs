//! The value of a derived metric: its inputs are read as if they were asked for, and where one has no
//! value there is none.

use std::sync::Arc;

use derived_metrics::Derived;

use super::{Error, Item, Reader, Request};
use crate::model::{Labels, Series, SeriesMap, Snapshot};

impl Reader<'_> {
    /// The value that the inputs make, each the one series that is `selected`, with the labels of the
    /// first one.
    pub(super) fn derive(
        &self,
        derived: &Derived,
        snapshot: &Snapshot,
        metrics: &SeriesMap,
        object: &Arc<str>,
        selected: impl Fn(&Reader<'_>, &Series) -> bool,
    ) -> Result<(Item, Labels), Error> {
        let mut values = Vec::with_capacity(derived.program.inputs().len());
        let mut whole: Option<(Item, Labels)> = None;
        for input in derived.program.inputs() {
            let request = Request { metric: input.name, ..*self.request };
            let reader = Reader { request: &request, known: Some(input), derived: None, ..*self };
            let of_input = |error: Error| error.of_input(input.name);
            let series = reader.only(snapshot, metrics, object, |series| selected(&reader, series));
            let series = series.map_err(of_input)?;
            let item = reader.proved(snapshot, series, Arc::clone(object)).map_err(of_input)?;
            values.push(item.value);
            whole = Some(match whole {
                None => (Item { window: None, ..item }, Arc::clone(&series.labels)),
                Some((mut whole, labels)) => {
                    whole.produced = whole.produced.min(item.produced);
                    whole.parts.extend(item.provenance);
                    (whole, labels)
                }
            });
        }
        let value = derived.program.value(&values);
        let value = value.map_err(|error| Error::NotFound(error.to_string()))?;
        let (item, labels) = whole.ok_or_else(|| {
            let name = &derived.name;
            Error::NotFound(format!("{name} is made of no metric, so that nothing proves it"))
        })?;
        Ok((Item { value, ..item }, labels))
    }
}
