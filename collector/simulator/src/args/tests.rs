use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn parse(words: &[&str]) -> Result<Args, String> {
    let words = ["simulator", "--dir", "/nowhere"].iter().chain(words);
    Command::try_parse_from(words).map(|command| command.args).map_err(|error| error.to_string())
}

#[test]
fn queues_have_a_name_and_perhaps_ranks() {
    let args = parse(&["--queue", "batch=0-3,6", "--queue", "all"]).unwrap();
    let queues: Vec<_> = args.queues.into_iter().map(|QueueArg(queue)| queue).collect();
    assert_eq!(queues[0].ranks, Some("0-3,6".parse().unwrap()));
    assert_eq!(queues[1], Queue { name: "all".to_owned(), ranks: None });
}

#[test]
fn nonsense_is_refused_with_the_flag_that_has_it() {
    for words in [
        ["--queue", "=0-3"],
        ["--queue", "batch=x"],
        ["--size", "0"],
        ["--release", "0.1"],
        ["--speed", "NaN"],
    ] {
        let error = parse(&words).unwrap_err();
        assert!(error.contains(words[0]), "{error}");
    }
}

#[test]
fn any_size_has_queues_that_fit() {
    assert_eq!(default_queues(1), []);
    for size in 2..100 {
        let ranks: Vec<_> =
            default_queues(size).into_iter().filter_map(|queue| queue.ranks).collect();
        assert_eq!(ranks[0].union(&ranks[1]), Idset::range(0, size - 1), "{size}");
        assert!(ranks[0].intersection(&ranks[1]).is_empty(), "{size}");
    }
}

#[tokio::test]
async fn it_plays_until_shutdown_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let args = Args { dir: dir.path().join("new"), ..parse(&[]).unwrap() };
    let socket = args.dir.join("local-0");
    let there = socket.clone();
    run(args, async move { assert!(there.exists()) }).await.unwrap();
    assert!(!socket.exists());
}
