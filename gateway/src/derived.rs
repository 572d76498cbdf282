//! Which derived metrics there are: those of a file, which is read again and again.
//!
//! A file that cannot be used leaves those of the last one that could, and a line in the log that says
//! what is wrong: a mistake takes no metric away from an autoscaler.

use std::{fs, io::Read as _, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use derived_metrics::{Definitions, MAX_FILE_BYTES};
use tokio_util::sync::CancellationToken;

/// How often the file is read. What a ConfigMap says reaches a pod within a minute or so.
pub const READ_INTERVAL: Duration = Duration::from_secs(2);

/// Those in use. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<ArcSwap<Definitions>>);

impl Shared {
    /// Those in use now.
    pub fn now(&self) -> Arc<Definitions> {
        self.0.load_full()
    }

    /// Uses these from now on.
    pub fn publish(&self, definitions: Definitions) {
        self.0.store(Arc::new(definitions));
    }
}

/// The derived metrics of a gateway.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Those in use.
    pub in_use: Shared,
    /// Where they come from; `None`: there are none.
    file: Option<File>,
}

impl Metrics {
    /// Those of a file, which is read for the first time.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn of(path: PathBuf) -> Result<Self, String> {
        let in_use = Shared::default();
        let file = File::read(path, &in_use)?;
        Ok(Self { in_use, file: Some(file) })
    }

    /// Keeps them what the file says until `drain`.
    pub async fn follow(self, drain: CancellationToken) {
        if let Some(file) = self.file {
            file.follow(self.in_use, drain).await;
        }
    }
}

/// A file of definitions.
#[derive(Clone, Debug)]
struct File {
    path: PathBuf,
    /// What was read last, whether it was good or not.
    last: Result<Vec<u8>, String>,
}

impl File {
    /// Reads the file for the first time.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn read(path: PathBuf, shared: &Shared) -> Result<Self, String> {
        let last = bytes(&path);
        shared.publish(definitions(&last)?);
        Ok(Self { path, last })
    }

    /// Reads it again until `drain`, and has what is new used.
    async fn follow(mut self, shared: Shared, drain: CancellationToken) {
        let next = || tokio::time::sleep(READ_INTERVAL);
        while drain.run_until_cancelled(next()).await.is_some() {
            let read = bytes(&self.path);
            if read == self.last {
                continue;
            }
            self.last = read;
            let file = self.path.display();
            match definitions(&self.last) {
                Ok(definitions) => {
                    let metrics = definitions.iter().len();
                    tracing::info!(%file, metrics, "the derived metrics are others now");
                    shared.publish(definitions);
                }
                Err(problem) => {
                    tracing::error!(%file, "the derived metrics stay as they were: {problem}");
                }
            }
        }
    }
}

/// At most one byte more than is used. The file is small and local, as is that of the certificate.
fn bytes(path: &PathBuf) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let most = MAX_FILE_BYTES as u64 + 1;
    let read = fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| format!("it cannot be read: {error}"))
}

fn definitions(bytes: &Result<Vec<u8>, String>) -> Result<Definitions, String> {
    let bytes = bytes.as_ref().map_err(Clone::clone)?;
    let text = str::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
    Definitions::read(text).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        problems.join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "metrics: [{name: twice, expression: node_up_count * 2}]";

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_and_one_that_is_wrong_leaves_the_last_good_one() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("derived.yaml");
        let shared = Shared::default();
        assert!(File::read(path.clone(), &shared).unwrap_err().contains("cannot be read"));
        fs::write(&path, GOOD).unwrap();
        let file = File::read(path.clone(), &shared).unwrap();
        let names = || shared.now().iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(), ["twice"]);

        let drain = CancellationToken::new();
        let following = tokio::spawn(file.follow(shared.clone(), drain.clone()));
        for (text, want) in [
            (GOOD.replace("twice", "double"), "double"),
            ("metrics: [{name: bad, expression: nodes}]".to_owned(), "double"),
            (GOOD.to_owned(), "twice"),
        ] {
            fs::write(&path, text).unwrap();
            tokio::time::sleep(2 * READ_INTERVAL).await;
            assert_eq!(names(), [want]);
        }
        fs::remove_file(&path).unwrap();
        tokio::time::sleep(2 * READ_INTERVAL).await;
        assert_eq!(names(), ["twice"]);
        drain.cancel();
        following.await.unwrap();
    }
}
