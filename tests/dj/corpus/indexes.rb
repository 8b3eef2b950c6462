#: indexes and their names | 4.2 6.1
def change
  create_table(:t) { |t| t.string :a; t.integer :b, :c; t.index [:a, :b], unique: true }
  add_index :t, :a
  add_index :t, [:b, :c]
  add_index "t", ["c", "b"], name: "own"
  add_index :t, :c, unique: true
end

#: an index of an expression
def up
  create_table(:t) { |t| t.string :a }
  add_index :t, "lower(a)"
  add_index :t, "lower(a), id", name: "two"
end
def down
  remove_index :t, name: "two"
end

#: descending, partial | 5.0 6.1
def change
  create_table(:t) { |t| t.integer :a, :b }
  add_index :t, :b, order: {b: :desc}, name: "by_b"
  add_index :t, [:a, :b], order: {a: :asc, b: :desc}
  add_index :t, :a, where: "b > 0", name: "some"
  add_index :t, [:b, :a], order: :desc
end

#: kinds of index | postgresql
def change
  create_table(:t) { |t| t.string :a; t.jsonb :d }
  add_index :t, :a, using: :hash
  add_index :t, :d, using: :gin
  add_index :t, :a, opclass: :text_pattern_ops, name: "patterns"
  add_index :t, :a, opclass: {a: :varchar_pattern_ops}, order: {a: :desc}, name: "patterns2"
  add_index :t, :a, name: "said", comment: "why"
end

#: an index that is there is left alone | 6.1
def up
  create_table(:t) { |t| t.string :a }
  add_index :t, :a
  add_index :t, :a, if_not_exists: true
end
def down
  remove_index :t, :a
  remove_index :t, :a, if_exists: true
end

#: removed indexes | 4.2 5.2 6.1
def up
  create_table(:t) { |t| t.integer :a, :b, :c, :d }
  add_index :t, :a
  add_index :t, [:a, :b]
  add_index :t, :c, name: "c_own"
  add_index :t, :d, unique: true
  remove_index :t, :a
  remove_index :t, column: [:a, :b]
  remove_index :t, name: "c_own"
  remove_index :t, :column => :d
end
def down
  drop_table :t
end

#: a removed index comes back
def change
  create_table(:t) { |t| t.integer :a, :b; t.index :a, unique: true; t.index [:a, :b], name: "n" }
  remove_index :t, :a, unique: true
  remove_index :t, column: [:a, :b], name: "n"
end

#: a renamed index
def change
  create_table(:t) { |t| t.integer :b; t.index :b, unique: true, name: "by_b" }
  rename_index :t, "by_b", "b_by"
end

#: indexes beside the column
def change
  create_table :t do |t|
    t.string :a, index: true
    t.string :b, index: {unique: true}
    t.string :c, index: {name: "own"}
    t.index :a, name: "again"
  end
end

#: outside of a transaction | postgresql
disable_ddl_transaction!
def change
  create_table(:t) { |t| t.string :a }
  add_index :t, :a, algorithm: :concurrently
end

#: outside of a transaction, on any database | 5.0 6.1
disable_ddl_transaction!
def change
  create_table(:t) { |t| t.string :a }
  add_index :t, :a
end
