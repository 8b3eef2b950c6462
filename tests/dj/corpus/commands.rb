#: everything in change_table | 4.2 5.2 6.1
def up
  create_table(:t) { |t| t.string :a; t.integer :b; t.integer :c, default: 4; t.string :g; t.index :g }
  change_table :t do |t|
    t.string :d, default: "x"
    t.rename :a, :aa
    t.remove :c
    t.index :d
    t.change :b, :float
    t.remove_index :g
    t.column :h, :text
    t.references :user
    t.timestamps null: true
  end
  change_table(:t) { |t| t.change_default :b, 3; t.remove_references :user; t.remove_timestamps }
  change_table(:t) { |t| t.change_null :d, false }
end
def down
  drop_table :t
end

#: change_table is turned round
def change
  create_table(:t) { |t| t.string :a; t.integer :c }
  change_table :t do |t|
    t.string :d, default: "x"
    t.integer :e, null: false, default: 0
    t.rename :a, :aa
    t.index :d, unique: true
    t.belongs_to :team
    t.remove :c, type: :integer
  end
end

#: change_table in bulk
def change
  create_table(:t) { |t| t.string :a }
  change_table :t, bulk: true do |t|
    t.string :b, default: ""
    t.integer :c
    t.index :c
  end
end

#: a foreign key by change_table | copied
def change
  create_table :users
  create_table(:t) { |t| t.bigint :user_id }
  change_table(:t) { |t| t.foreign_key :users }
end

#: timestamps are removed and come back | 5.2 6.1
def change
  create_table(:t) { |t| t.string :a; t.timestamps null: true }
  remove_timestamps :t, null: true
end

#: check constraints | 6.1
def change
  create_table(:t) { |t| t.integer :b; t.check_constraint "b < 10", name: "small" }
  add_check_constraint :t, "b > 0", name: "positive"
  add_check_constraint :t, "b <> 5"
end

#: a check constraint is removed and comes back
def change
  create_table(:t) { |t| t.integer :b; t.check_constraint "b < 10", name: "small" }
  remove_check_constraint :t, "b < 10", name: "small"
end

#: reversible runs one side | 4.2 6.1
def change
  create_table(:t) { |t| t.string :a; t.integer :b }
  reversible do |dir|
    dir.up { execute "INSERT INTO t (a, b) VALUES ('x', 1)" }
    dir.down { say "going down" }
  end
  add_column :t, :c, :string
end

#: up_only runs nothing on the way down | 5.2 6.1
def change
  create_table(:t) { |t| t.string :a }
  up_only { execute "INSERT INTO t (a) VALUES ('x')" }
end

#: revert in up and in down | 4.2 6.1
def up
  create_table(:t) { |t| t.string :a }
  create_table(:gone) { |t| t.string :a; t.index :a }
  revert { create_table(:gone) { |t| t.string :a; t.index :a } }
end
def down
  revert { create_table(:t) { |t| t.string :a } }
end

#: what is said
def up
  say "hello"
  say "indented", true
  say_with_time("making") { create_table(:t) { |t| t.string :a } }
  suppress_messages { add_column :t, :b, :integer }
end
def down
  say_with_time "unmaking" do
    suppress_messages { drop_table :t }
  end
end

#: SQL, also over several lines | 4.2 6.1
def up
  execute <<-SQL
    CREATE TABLE t (id integer PRIMARY KEY, a varchar(20))
  SQL
  execute("INSERT INTO t (id, a) VALUES (1, 'it''s')")
  execute <<~SQL
    UPDATE t SET a = 'b'
  SQL
end
def down
  execute "DROP TABLE t"
end

#: rows survive when a table is altered
def up
  create_table(:t) { |t| t.string :a; t.integer :b; t.datetime :c }
  execute "INSERT INTO t (a, b, c) VALUES ('x', 1, '2020-01-02 03:04:05')"
  execute "INSERT INTO t (a, b) VALUES ('y', NULL)"
  change_column_null :t, :b, false, 7
  rename_column :t, :a, :aa
  change_column :t, :b, :float
end
def down
  remove_column :t, :c
  change_column_default :t, :aa, "z"
end

#: strings, symbols, rockets and parentheses are one | 4.2 6.1
def change
  create_table("t", :id => :bigint) do |table|
    table.string("a", :limit => 5)
    table.column 'b', "string", :'default' => %q(q)
  end
end

#: old spelling throughout | 4.2 6.1
def self.up
  create_table "t", :force => true do |t|
    t.column "a", :string, :null => false, :default => ''
    t.column :b, :integer
    t.column :c, :datetime
  end
  add_index "t", ["a"], :name => "index_on_a", :unique => true
end

def self.down
  remove_index "t", :name => "index_on_a"
  drop_table "t"
end

#: words and symbols in arrays
def change
  create_table(:t) { |t| t.integer :a, :b }
  add_index :t, %i[a b]
  add_index :t, %w(b a)
end
