//! What is remembered of readers, and for how long.

use super::*;

#[tokio::test]
async fn what_a_user_may_is_asked_again_after_a_while_and_not_before() {
    let readers = Readers::start().await;
    readers.api.allow(&right("alice"));
    readers.api.give_token("of-carol", "carol", &[]);
    readers.api.allow(&right("carol"));
    let proxy = readers.proxy();
    // On one connection, which knows her by then.
    let mut kept = proxy.connect_http2().await.unwrap();
    let mut alice = async || {
        let read = with(get(&metric()), &[("x-remote-user", "alice")]);
        kept.ask(read).await.unwrap().status
    };
    let bob = async || ask(&proxy, &metric(), &[("x-remote-user", "bob")]).await.status;
    let client = readers.anonymous();
    let carol =
        async || ask(&client, &metric(), &[("authorization", "Bearer of-carol")]).await.status;
    assert_eq!([alice().await, bob().await, carol().await], [200, 403, 200]);

    readers.api.forbid(&right("alice"));
    readers.api.allow(&right("bob"));
    readers.api.take_token("of-carol");
    assert_eq!([alice().await, bob().await, carol().await], [200, 403, 200]);
    assert_eq!(readers.api.access_reviews(), ["alice", "bob", "carol"].map(right));
    assert_eq!(readers.api.token_reviews(), ["of-carol"]);

    eventually("what has changed counts", async || {
        let now = [alice().await, bob().await, carol().await];
        if now == [403, 200, 401] { Ok(()) } else { Err(now) }
    })
    .await;
    // One question each, however often they have read.
    assert_eq!(readers.api.access_reviews().len(), 5);
    assert_eq!(readers.api.token_reviews().len(), 2);
}
