//! Readers with bearer tokens.

use system_tests::fake_api::Mood;

use super::*;

#[tokio::test]
async fn a_token_is_its_users_and_one_of_nobody_is_refused() {
    let readers = Readers::start().await;
    readers.api.give_token("of-carol", "carol", &["system:serviceaccounts"]);
    readers.api.give_token("of-dave", "dave", &[]);
    readers.api.allow(&right("carol"));
    let client = readers.anonymous();
    let read = async |token: &str| {
        ask(&client, &metric(), &[("authorization", &format!("Bearer {token}"))]).await
    };
    assert_eq!(read("of-carol").await.value(), Ok(4.0));
    let spec = readers.api.last_access_review()["spec"].clone();
    assert_eq!((&spec["user"], &spec["uid"]), (&"carol".into(), &"uid-carol".into()));
    let groups = serde_json::json!(["system:serviceaccounts", "system:authenticated"]);
    assert_eq!(spec["groups"], groups);
    let refusal = read("of-dave").await.refusal(403);
    assert!(refusal.contains("User \"dave\" cannot get"), "{refusal}");
    assert_eq!(read("of-nobody").await.refusal(401), "Unauthorized");
    // A token that is good makes good for a certificate that is not.
    let stranger = readers.with_certificate(&TestCa::new(), PROXY);
    let answer = ask(&stranger, &metric(), &[("authorization", "Bearer of-carol")]).await;
    assert_eq!(answer.value(), Ok(4.0));
}

#[tokio::test]
async fn a_token_is_asked_about_once_for_all_who_send_it() {
    let readers = Readers::start().await;
    readers.api.give_token("of-carol", "carol", &[]);
    readers.api.allow(&right("carol"));
    readers.api.be(Mood::Waits);
    let client = readers.anonymous();
    let read = async |token: &str| {
        ask(&client, &metric(), &[("authorization", &format!("Bearer {token}"))]).await.status
    };
    let answer = async {
        eventually("somebody is asked", async || is(readers.api.arrived() > 0)).await;
        readers.api.be(Mood::Answers);
    };
    let (one, other, third, ()) =
        tokio::join!(read("of-carol"), read("of-carol"), read("of-carol"), answer);
    assert_eq!([one, other, third], [200, 200, 200]);
    assert_eq!(read("of-carol").await, 200);
    assert_eq!([read("of-nobody").await, read("of-nobody").await], [401, 401]);
    assert_eq!(readers.api.token_reviews(), ["of-carol", "of-nobody"]);
    assert_eq!(readers.api.access_reviews(), [right("carol")]);
}

#[tokio::test]
async fn that_nobody_answered_is_not_remembered() {
    let readers = Readers::start().await;
    readers.api.give_token("of-carol", "carol", &[]);
    readers.api.allow(&right("carol"));
    let client = readers.anonymous();
    let carol = [("authorization", "Bearer of-carol")];
    readers.api.be(Mood::Fails(403));
    ask(&client, &metric(), &carol).await.refusal(500);
    readers.api.be(Mood::Answers);
    assert_eq!(ask(&client, &metric(), &carol).await.value(), Ok(4.0));
    // A bad moment of the API server is not even noticed.
    readers.api.give_token("of-erin", "erin", &[]);
    readers.api.allow(&right("erin"));
    readers.api.be(Mood::Fails(500));
    let (path, erin) = (metric(), [("authorization", "Bearer of-erin")]);
    let before = readers.api.arrived();
    let (answer, ()) = tokio::join!(ask(&client, &path, &erin), async {
        eventually("it fails once", async || is(readers.api.arrived() > before)).await;
        readers.api.be(Mood::Answers);
    });
    assert_eq!(answer.value(), Ok(4.0));
}
