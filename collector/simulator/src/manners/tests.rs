use super::*;

#[test]
fn releases_are_read_with_and_without_v_and_patch() {
    for (text, want) in [("0.88", "0.88.0"), ("v0.45.0", "0.45.0"), ("0.40.2", "0.40.2")] {
        assert_eq!(text.parse::<Release>().unwrap().to_string(), want);
    }
    for text in ["", "0.39", "1.0", "0", "0.88.0.1", "0.x", "88", "0.4294967296", "-0.88"] {
        assert!(text.parse::<Release>().is_err(), "{text}");
    }
}
