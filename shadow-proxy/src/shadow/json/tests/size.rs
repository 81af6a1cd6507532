//! What large documents cost.

use super::*;

#[test]
fn sixteen_megabytes_are_compared_by_path() {
    let users = |changed: usize| {
        let mut body = "{\"users\":[".to_owned();
        for id in 0.. {
            let role = if id == changed { "admin" } else { "user" };
            body += &format!(r#"{{"id":{id},"email":"user{id}@example.org","role":"{role}","active":true}},"#);
            if body.len() > BYTES_MAX - 200 {
                body += "{}]}";
                return body;
            }
        }
        body
    };
    let (legacy, candidate) = (document(&users(usize::MAX)), document(&users(200_000)));
    let told = told(differences(&legacy, &candidate, &()));
    let (value, other) = (Some("\"user\"".to_owned()), Some("\"admin\"".to_owned()));
    assert_eq!(told, [("body.users[].role".to_owned(), Kind::Value, value, other)]);
}

/// Counted, not timed: twice the size must not be much more than twice the nodes looked at.
#[test]
fn the_work_grows_with_the_size() {
    let list = |n: usize, one: &dyn Fn(usize) -> String| (0..n).map(one).collect::<Vec<_>>().join(",");
    let array = |n: usize, one: &dyn Fn(usize) -> String| format!("[{}]", list(n, one));
    let object = |n: usize, one: &dyn Fn(usize) -> String| format!("{{{}}}", list(n, one));
    let unordered = Known { unordered: vec!["body".to_owned()], ..Known::default() };
    let keyed = Known { keyed_by: vec![("body".to_owned(), "id".to_owned())], ..Known::default() };
    type Shape<'a> = (&'a str, Box<dyn Fn(usize) -> (String, String) + 'a>, &'a dyn Places);
    let shapes: Vec<Shape> = vec![
        ("all values differ", Box::new(|n| (array(n, &|i| format!("{i}")), array(n, &|i| format!("-1{i}")))), &()),
        ("reversed", Box::new(|n| (array(n, &|i| format!("{i}")), array(n, &|i| format!("{}", n - i)))), &unordered),
        (
            "keyed",
            Box::new(|n| {
                let one = |i: usize, v: u8| format!("{{\"v\":{v},\"id\":{i}}}");
                (array(n, &|i| one(i, 0)), array(n, &|i| one(n - i, 1)))
            }),
            &keyed,
        ),
        (
            "members in another order",
            Box::new(|n| (object(n, &|i| format!("\"k{i}\":1")), object(n, &|i| format!("\"k{}\":1.0", n - 1 - i)))),
            &(),
        ),
        ("one key", Box::new(|n| (object(n, &|_| "\"k\":1".into()), object(n + 1, &|_| "\"k\":1".into()))), &()),
        (
            "deep",
            Box::new(|n| {
                let nested = |inner: &str| "[0,".repeat(n) + inner + &",0]".repeat(n);
                (nested("1"), nested("2"))
            }),
            &(),
        ),
        (
            "arrays in arrays",
            Box::new(|n| {
                let rows = |v: usize| array(100, &|_| array(n / 100, &|i| format!("[{i},[{v}]]")));
                (rows(1), rows(2))
            }),
            &(),
        ),
    ];
    for (name, shape, places) in shapes {
        let work = |n: usize| {
            let (legacy, candidate) = shape(n);
            let (legacy, candidate) = (document(&legacy), document(&candidate));
            let mut walk = Walk::new("body", &legacy, &candidate, places);
            walk.walk();
            let nodes = legacy.len() + candidate.len();
            (walk.work.get(), nodes)
        };
        let ((once, _), (twice, nodes)) = (work(10_000), work(20_000));
        assert!(twice * 10 <= once * 21, "{name}: {once} {twice}");
        assert!(twice <= 4 * nodes, "{name}: {twice} of {nodes}");
    }
}

/// Time against size, for `cargo ci bench json-size`.
#[test]
#[ignore = "measures"]
fn json_size() {
    let users = |bytes: usize, role: &str| {
        let mut body = "{\"valid\":true,\"users\":[".to_owned();
        let mut id = 0;
        while body.len() + 150 < bytes {
            let email = format!("user{id}@example.org");
            body += &format!(r#"{{"id":{id},"email":"{email}","role":"{role}","roles":["a","b"],"active":true}},"#);
            id += 1;
        }
        body + "{\"last\":null}],\"count\":" + &id.to_string() + "}"
    };
    println!("{:>10} {:>12} {:>12} {:>10}", "bytes", "parse_us", "compare_us", "ns/byte");
    let sizes = [300, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];
    for bytes in sizes {
        let [legacy, candidate] = ["user", "boss"].map(|role| bytes::Bytes::from(users(bytes, role)));
        let rounds = ((8 << 20) / bytes).max(1) as u32;
        let (mut parsing, mut comparing) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
        for _ in 0..rounds {
            let begun = std::time::Instant::now();
            let left = Document::read(legacy.clone()).unwrap();
            let right = Document::read(candidate.clone()).unwrap();
            parsing += begun.elapsed();
            let begun = std::time::Instant::now();
            let found = differences(&left, &right, &());
            comparing += begun.elapsed();
            assert_eq!(found.len(), 1);
        }
        let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6 / f64::from(rounds);
        let (parse, compare) = (micros(parsing) / 2.0, micros(comparing));
        let each = (2.0 * parse + compare) * 1e3 / (2.0 * legacy.len() as f64);
        println!("{:>10} {parse:>12.2} {compare:>12.2} {each:>10.2}", legacy.len());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}
