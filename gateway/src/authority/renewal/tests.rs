use super::*;
use crate::authority::certificate::Certificate;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An overlap is a day.
const TERMS: Terms =
    Terms { ca: Duration::from_secs(12 * 24 * 60 * 60), certificate: DAY.saturating_mul(3) };

fn names() -> BTreeSet<String> {
    BTreeSet::from(["fluxgauge-api.fluxgauge.svc".to_owned()])
}

fn start() -> Timestamp {
    "2026-11-26T07:00:00Z".parse().unwrap()
}

fn at_first() -> Own {
    first(&names(), TERMS, start()).unwrap()
}

/// What clients have been told, and when. They know of it an overlap later at the latest.
struct Clients {
    told: Vec<(Timestamp, String)>,
}

impl Clients {
    fn of(own: &Own) -> Self {
        // All have had the time.
        Self { told: vec![(Timestamp::MIN, own.bundle())] }
    }

    fn tell(&mut self, now: Timestamp, own: &Own) {
        self.told.push((now, own.bundle()));
    }

    /// Fails unless every client, however late it hears of what it is told, trusts what is served.
    fn trust(&self, now: Timestamp, own: &Own) {
        assert!(now < own.serving.ends, "at {now} an old certificate is served");
        let since = earlier(now, TERMS.overlap());
        let newest_by_then = self.told.iter().rposition(|(at, _)| *at <= since).unwrap();
        for (at, bundle) in &self.told[newest_by_then..] {
            let known = Certificate::read_all(bundle).unwrap();
            let signer = known.iter().find(|known| known.has_signed(&own.serving));
            let signer =
                signer.unwrap_or_else(|| panic!("at {now} who knows what was said at {at}"));
            assert!(own.serving.ends <= signer.ends, "a CA ends before what it has signed");
        }
    }
}

#[test]
fn through_many_rotations_no_client_that_is_an_overlap_late_is_cut_off() {
    let mut own = at_first();
    let mut clients = Clients::of(&own);
    let (mut authorities, mut certificates) = (1, 1);
    let mut last = start();
    while last < later(start(), TERMS.ca * 5) {
        let Due { at, change } = due(&own, &names(), TERMS);
        assert!(at > last, "{change:?} at {at} is no later than the step before");
        // Just before it, and when the last replica would do it.
        clients.trust(at, &own);
        let at = later(at, TERMS.overlap() / 10);
        clients.trust(at, &own);
        own = after(change, &own, &names(), TERMS, at).unwrap();
        match change {
            Change::Rotate => authorities += 1,
            Change::Renew => certificates += 1,
            Change::Retire => {}
        }
        clients.tell(at, &own);
        clients.trust(at, &own);
        assert!(own.older.len() <= 1, "the bundle grows");
        last = at;
    }
    // A CA signs from an overlap after it was made until two thirds of its life are over, and two days.
    assert!((6..=9).contains(&authorities), "{authorities} CAs in five lives of one");
    assert!(certificates > 20, "{certificates} certificates of three days in 60");
}

#[test]
fn whenever_the_secret_is_deleted_no_client_is_cut_off() {
    for hours in (0..24 * 9).step_by(5) {
        let deleted = later(start(), Duration::from_secs(hours * 60 * 60));
        let mut own = at_first();
        let mut clients = Clients::of(&own);
        loop {
            let Due { at, change } = due(&own, &names(), TERMS);
            if at > deleted {
                break;
            }
            own = after(change, &own, &names(), TERMS, at).unwrap();
            clients.tell(at, &own);
        }
        let (before, rotating) = (own.newest.clone(), !own.older.is_empty());
        own = restored(&own, &names(), TERMS, deleted).unwrap();
        clients.tell(deleted, &own);
        clients.trust(deleted, &own);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let Due { at, change } = due(&own, &names(), TERMS);
            clients.trust(at, &own);
            own = after(change, &own, &names(), TERMS, at).unwrap();
            clients.tell(at, &own);
            clients.trust(at, &own);
            seen.push(change);
        }
        assert_eq!(own.newest == before, rotating, "deleted after {hours} h: another CA");
        let rotation = [Change::Renew, Change::Retire];
        assert!(seen.starts_with(&rotation) || rotating, "deleted after {hours} h: {seen:?}");
    }
}

#[test]
fn each_step_is_due_at_its_time() {
    let own = at_first();
    let two_days = later(start(), DAY * 2);
    assert_eq!(due(&own, &names(), TERMS), Due { at: two_days, change: Change::Renew });
    let own = after(Change::Renew, &own, &names(), TERMS, later(start(), DAY * 7)).unwrap();
    let eight_days = later(start(), DAY * 8);
    assert_eq!(due(&own, &names(), TERMS), Due { at: eight_days, change: Change::Rotate });

    let rotated = after(Change::Rotate, &own, &names(), TERMS, eight_days).unwrap();
    assert_eq!(rotated.serving, own.serving, "it lasts until the next CA signs");
    assert_eq!(rotated.older, [own.newest]);
    let nine_days = later(start(), DAY * 9);
    assert_eq!(due(&rotated, &names(), TERMS), Due { at: nine_days, change: Change::Renew });

    let signed = after(Change::Renew, &rotated, &names(), TERMS, nine_days).unwrap();
    assert!(signed.is_of_newest() && signed.older.len() == 1);
    let ten_days = later(start(), DAY * 10);
    assert_eq!(due(&signed, &names(), TERMS), Due { at: ten_days, change: Change::Retire });

    let retired = after(Change::Retire, &signed, &names(), TERMS, ten_days).unwrap();
    assert_eq!(retired.bundle(), rotated.newest.pem);
}

#[test]
fn a_certificate_that_would_not_last_until_the_next_ca_signs_is_renewed_before() {
    let own = at_first();
    let late = later(start(), DAY * 2);
    let rotated = after(Change::Rotate, &own, &names(), TERMS, late).unwrap();
    assert!(own.newest.has_signed(&rotated.serving), "by the CA that all trust");
    assert_eq!(rotated.serving.made, late);
}

#[test]
fn what_nobody_trusts_or_lacks_a_name_is_renewed_at_once() {
    let mut own = at_first();
    let mut more = names();
    more.insert("fluxgauge.example".to_owned());
    assert_eq!(due(&own, &more, TERMS), Due { at: Timestamp::MIN, change: Change::Renew });
    let renewed = after(Change::Renew, &own, &more, TERMS, start()).unwrap();
    assert_eq!(renewed.serving.names, more);
    // Replicas that know other names, as in a rolling update, do not renew in turn.
    assert!(due(&renewed, &names(), TERMS).at > start());
    let others = BTreeSet::from(["other.example".to_owned()]);
    assert_eq!(due(&renewed, &others, TERMS).at, Timestamp::MIN);
    let both = after(Change::Renew, &renewed, &others, TERMS, start()).unwrap();
    assert!(due(&both, &more, TERMS).at > start() && due(&both, &others, TERMS).at > start());
    let later = after(Change::Renew, &both, &others, TERMS, start()).unwrap();
    assert_eq!(later.serving.names, others, "what nobody knows any more leaves");

    own.serving = at_first().serving;
    assert_eq!(due(&own, &names(), TERMS), Due { at: Timestamp::MIN, change: Change::Renew });
}

#[test]
fn a_new_ca_signs_before_the_last_certificate_of_the_old_one_ends() {
    let own = after(Change::Rotate, &at_first(), &names(), TERMS, start()).unwrap();
    // Certificates last ten times longer from now on, and so does the overlap.
    let terms = Terms { ca: TERMS.ca * 10, certificate: TERMS.certificate * 10 };
    let Due { at, change } = due(&own, &names(), terms);
    assert_eq!(change, Change::Renew);
    assert_eq!(at, earlier(own.serving.ends, DAY / 2));
}

#[test]
fn gateways_that_come_back_late_go_on_where_they_stopped() {
    let own = at_first();
    let long_after = later(start(), DAY * 100);
    let Due { at, change } = due(&own, &names(), TERMS);
    assert!(at < long_after);
    // Each step is decided on what the one before has left, and none is needed twice.
    let mut own = after(change, &own, &names(), TERMS, long_after).unwrap();
    let mut steps = vec![change];
    loop {
        let Due { at, change } = due(&own, &names(), TERMS);
        if at > later(long_after, TERMS.overlap() * 3) {
            break;
        }
        own = after(change, &own, &names(), TERMS, at.max(long_after)).unwrap();
        steps.push(change);
        assert!(steps.len() < 8, "{steps:?}");
    }
    assert!(own.serving.ends > later(long_after, TERMS.overlap()), "{steps:?}");
    assert!(own.newest.ends > later(long_after, TERMS.certificate), "{steps:?}");
}
