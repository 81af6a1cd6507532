mod exchange;
mod shadow;

fn main() {}
