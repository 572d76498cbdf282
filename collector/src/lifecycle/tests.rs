use super::*;
use crate::state::{Board, Broker};

struct Pod {
    root: tempfile::TempDir,
    board: Board,
}

impl Pod {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("mnt/flux")).unwrap();
        Self { root, board: Board::new() }
    }

    fn complete(&self) {
        std::fs::write(self.root.path().join(MARKER), "").unwrap();
    }

    fn meet(&self) {
        self.board.met(Broker {
            rank: 0,
            size: 1,
            hostname: String::new(),
            version: String::new(),
            start_time: 0.0,
        });
    }

    /// When it ends, in seconds, or `None` within an hour.
    async fn end(&self, gone_exit: Option<Duration>) -> Option<u64> {
        let started = Instant::now();
        let end = end(self.root.path(), gone_exit, self.board.subscribe());
        let ended = tokio::time::timeout(Duration::from_secs(3600), end).await;
        ended.ok().map(|_| started.elapsed().as_secs())
    }
}

#[tokio::test(start_paused = true)]
async fn a_complete_minicluster_ends_after_the_grace() {
    let pod = Pod::new();
    pod.complete();
    assert_eq!(pod.end(None).await, Some(GRACE.as_secs()));
}

#[tokio::test(start_paused = true)]
async fn without_a_marker_a_broker_is_waited_for() {
    let pod = Pod::new();
    assert_eq!(pod.end(None).await, None);
    assert_eq!(pod.end(Some(Duration::from_secs(60))).await, Some(60));
}

#[tokio::test(start_paused = true)]
async fn a_marker_that_a_broker_found_there_is_of_an_earlier_run() {
    let pod = Pod::new();
    pod.complete();
    pod.meet();
    let life = async {
        sleep(Duration::from_secs(60)).await;
        pod.board.lost("gone");
    };
    assert_eq!(tokio::join!(pod.end(None), life).0, None);
}

#[tokio::test(start_paused = true)]
async fn a_marker_that_came_while_the_broker_was_there_counts_once_it_is_gone() {
    let pod = Pod::new();
    pod.meet();
    let life = async {
        sleep(Duration::from_secs(60)).await;
        pod.complete();
        sleep(Duration::from_secs(60)).await;
        pod.board.lost("gone");
    };
    assert_eq!(tokio::join!(pod.end(None), life).0, Some(120 + GRACE.as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_back_starts_the_wait_anew() {
    let pod = Pod::new();
    let life = async {
        sleep(Duration::from_secs(50)).await;
        pod.meet();
        sleep(Duration::from_secs(50)).await;
        pod.board.lost("gone");
    };
    let limit = Some(Duration::from_secs(60));
    assert_eq!(tokio::join!(pod.end(limit), life).0, Some(100 + 60));
}
