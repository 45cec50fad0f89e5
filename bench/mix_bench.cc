// A mix of what SQLite is used for, phase by phase, in turns with a stock file in WAL mode with
// synchronous=NORMAL: rows with and without indexes, ranges, joins, sums, sorting, text, changes
// and deletions by index and one by one, a column more, and commits of a row each. It says what a
// whole program gains or loses.
//
// Each phase ends with a sync on our side, which counts. `to_wal_normal` is the stock side's time
// to ours, all phases together: at least 1. Of each phase the same is a counter by its name.

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

// The words that texts are made of; what is found in them depends on the row's number only.
std::string Words(Random& random, int count) {
  static constexpr std::array kWords = {"tide",  "harbour", "north", "signal", "lantern", "rope",
                                        "chart", "keel",    "gull",  "anchor", "beacon",  "swell"};
  std::string text;
  for (int i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += kWords[static_cast<size_t>(random.Below(kWords.size()))];
  }
  return text;
}

struct Phase {
  const char* name;
  std::function<void(Connection&, Random&)> run;
};

class Transactional {
 public:
  explicit Transactional(Connection& connection) : connection_(connection) {
    connection_.Exec("begin");
  }
  ~Transactional() { connection_.Exec("commit"); }
  Transactional(const Transactional&) = delete;
  Transactional& operator=(const Transactional&) = delete;

 private:
  Connection& connection_;
};

// Of tables of about `n` rows. Each phase finds what those before it left.
std::vector<Phase> Phases(int64_t n) {
  const auto text = [](int64_t value) { return std::to_string(value); };
  const auto insert_order = [=](Connection& connection, Random& random, int64_t number) {
    connection.Exec("insert into orders values(" + text(number) + "," + text(random.Below(n / 10)) +
                    "," + text(random.Below(1'000'000)) + ",'" + Words(random, 4) + "')");
  };
  return {
      {"insert",
       [=](Connection& connection, Random& random) {
         connection.Exec(
             "create table orders(id integer primary key, customer integer, cents integer,"
             " note text)");
         const Transactional all(connection);
         for (int64_t i = 0; i < n; ++i) insert_order(connection, random, i);
       }},
      {"insert_text_key",
       [=](Connection& connection, Random& random) {
         connection.Exec(
             "create table customers(id integer primary key, name text unique, city text)");
         const Transactional all(connection);
         for (int64_t i = 0; i < n / 10; ++i) {
           connection.Exec("insert into customers values(" + text(i) + ",'" +
                           text(random.Below(1'000'000'000)) + "-" + text(i) + "','" +
                           Words(random, 1) + "')");
         }
       }},
      {"scan_ranges",
       [=](Connection& connection, Random& random) {
         for (int i = 0; i < 10; ++i) {
           const int64_t from = random.Below(900'000);
           connection.QueryInteger(
               "select count(*)+coalesce(sum(cents),0) from orders where cents "
               "between " +
               text(from) + " and " + text(from + 10'000));
         }
       }},
      {"create_index",
       [](Connection& connection, Random&) {
         connection.Exec("create index orders_customer on orders(customer, cents)");
         connection.Exec("create index orders_cents on orders(cents)");
       }},
      {"index_ranges",
       [=](Connection& connection, Random& random) {
         for (int64_t i = 0; i < n / 50; ++i) {
           const int64_t from = random.Below(990'000);
           connection.QueryInteger(
               "select count(*)+coalesce(max(note>'m'),0) from orders where "
               "cents between " +
               text(from) + " and " + text(from + 1000));
         }
       }},
      {"insert_indexed",
       [=](Connection& connection, Random& random) {
         const Transactional all(connection);
         for (int64_t i = n; i < n + n / 2; ++i) insert_order(connection, random, i);
       }},
      {"update_by_index",
       [=](Connection& connection, Random& random) {
         const Transactional all(connection);
         for (int64_t i = 0; i < n / 20; ++i) {
           connection.Exec("update orders set cents=cents+17 where customer=" +
                           text(random.Below(n / 10)));
         }
       }},
      {"update_by_key",
       [=](Connection& connection, Random& random) {
         const Transactional all(connection);
         for (int64_t i = 0; i < n / 2; ++i) {
           connection.Exec("update orders set note='" + Words(random, 5) +
                           "' where id=" + text(random.Below(n)));
         }
       }},
      {"commit_each",
       [=](Connection& connection, Random& random) {
         for (int64_t i = 0; i < n / 5; ++i) {
           connection.Exec("update orders set cents=" + text(random.Below(1'000'000)) +
                           " where id=" + text(random.Below(n)));
         }
       }},
      {"join",
       [=](Connection& connection, Random&) {
         connection.QueryInteger(
             "select sum(o.cents) from customers c join orders o on "
             "o.customer=c.id where c.city in ('tide','gull','keel')");
         connection.QueryInteger(
             "select count(*) from customers c where exists(select 1 from "
             "orders o where o.customer=c.id and o.cents>900000)");
       }},
      {"aggregate",
       [](Connection& connection, Random&) {
         connection.QueryInteger(
             "select count(*) from (select customer, sum(cents) s, avg(cents) "
             "from orders group by customer having s>3000000)");
         connection.QueryInteger(
             "select count(*) from (select c.city, max(o.cents) from orders o "
             "join customers c on c.id=o.customer group by c.city)");
       }},
      {"sort",
       [](Connection& connection, Random&) {
         connection.QueryInteger(
             "select sum(length(note)) from (select note from orders order by "
             "note, cents limit 5000)");
         connection.QueryInteger("select count(distinct note) from orders");
       }},
      {"text_search",
       [](Connection& connection, Random&) {
         for (const char* pattern : {"%gull anchor%", "%keel%swell%", "beacon%", "%north"}) {
           connection.QueryInteger(std::string("select count(*) from orders where note like '") +
                                   pattern + "'");
         }
         connection.QueryInteger(
             "select sum(length(upper(note) || substr(note, 3, 7))) from orders");
       }},
      {"add_column",
       [](Connection& connection, Random&) {
         connection.Exec("alter table orders add column state integer default 0");
         connection.Exec("update orders set state=cents % 5");
       }},
      {"delete_by_key",
       [=](Connection& connection, Random& random) {
         const Transactional all(connection);
         for (int64_t i = 0; i < n / 5; ++i) {
           connection.Exec("delete from orders where id=" + text(random.Below(n)));
         }
       }},
      {"delete_by_index",
       [](Connection& connection, Random&) {
         connection.Exec("delete from orders where cents between 200000 and 500000");
       }},
      {"refill",
       [](Connection& connection, Random&) {
         connection.Exec("create table archive as select * from orders");
         connection.Exec("delete from orders");
         connection.Exec("insert into orders select * from archive");
         connection.Exec("drop table archive");
       }},
  };
}

void Mix(benchmark::State& state, const Settings& settings, int64_t rows) {
  const std::vector<Phase> phases = Phases(rows);
  std::vector<std::array<double, 2>> seconds(phases.size());
  int64_t first = 0;
  for (auto _ : state) {
    Bed ours(settings, Mode::kTidemarkNormal);
    Bed stock(settings, Mode::kWalNormal);
    const std::array<Bed*, 2> beds = {&ours, &stock};
    std::array<Connection, 2> connections = {ours.Open("mix"), stock.Open("mix")};
    std::array<int64_t, 2> sums{};
    for (size_t phase = 0; phase < phases.size(); ++phase) {
      for (size_t i = 0; i < 2; ++i) {
        const size_t side = static_cast<size_t>(first + static_cast<int64_t>(i)) % 2;
        Random random(61 + phase);
        const auto start = std::chrono::steady_clock::now();
        phases[phase].run(connections[side], random);
        beds[side]->Sync();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        seconds[phase][side] += took.count();
      }
      ++first;
    }
    for (size_t side = 0; side < 2; ++side) {
      sums[side] = connections[side].QueryInteger(
          "select count(*)+sum(id*31+customer+cents+length(note)+state) from orders");
    }
    if (sums[0] != sums[1]) Fail("the mix", "both sides end with other rows");
  }
  std::array<double, 2> all{};
  for (size_t phase = 0; phase < phases.size(); ++phase) {
    state.counters[phases[phase].name] = seconds[phase][1] / seconds[phase][0];
    for (size_t side = 0; side < 2; ++side) all[side] += seconds[phase][side];
  }
  state.counters["tidemark_s"] = all[0];
  state.counters["wal_normal_s"] = all[1];
  state.counters["to_wal_normal"] = all[1] / all[0];
}

}  // namespace

void RegisterMixBenchmarks(const Settings& settings) {
  Register("mix/sqlite", 1, [=](benchmark::State& state) {
    Mix(state, settings, settings.Scaled(50'000, 50'000, 200));
  });
}

}  // namespace tidemark::bench
