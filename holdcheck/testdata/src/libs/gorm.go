package libs

import (
	"context"
	"net/http"

	"gorm.io/gorm"
)

func gormTransaction(db *gorm.DB) error {
	return db.Transaction(func(tx *gorm.DB) error { // hold
		if err := tx.Create(nil).Error; err != nil {
			return err
		}
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okGormTransaction(db *gorm.DB) error {
	err := db.Transaction(func(tx *gorm.DB) error {
		return tx.Create(nil).Error
	})
	if err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func gormChained(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		http.Get(u) // want "high http"
		return nil
	})
}

func gormBegin(db *gorm.DB) error {
	tx := db.Begin()
	if tx.Error != nil {
		return tx.Error
	}
	if err := tx.Where("a = 1").Create(nil).Error; err != nil {
		tx.Rollback()
		return err
	}
	http.Get(u) // want "high http"
	return tx.Commit().Error
}

func okGormCommitted(db *gorm.DB) error {
	tx := db.Begin()
	if err := tx.Create(nil).Error; err != nil {
		tx.Rollback()
		return err
	}
	if err := tx.Commit().Error; err != nil {
		return err
	}
	http.Get(u)
	return nil
}

// okGormBuilder has a tx that is a query builder.
func okGormBuilder(db *gorm.DB, name string) error {
	tx := db
	if name != "" {
		tx = tx.Where("name = ?", name)
	}
	if err := tx.Find(nil).Error; err != nil {
		return err
	}
	http.Get(u)
	return tx.Save(nil).Error
}

func gormRows(db *gorm.DB) error {
	rows, err := db.Model(nil).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		http.Get(u) // want "high http"
	}
	return nil
}

func gormConnection(db *gorm.DB) error {
	return db.Connection(func(tx *gorm.DB) error {
		http.Get(u) // want "high http"
		return tx.Save(nil).Error
	})
}

func gormNested(db *gorm.DB) error {
	return db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Transaction(func(inner *gorm.DB) error { return inner.Save(nil).Error }); err != nil {
			return err
		}
		http.Get(u) // want "high http"
		return nil
	})
}

type order struct{ id int }

// AfterCreate is called by gorm, inside the transaction that Create opens.
func (o *order) AfterCreate(tx *gorm.DB) error {
	_, err := http.Get(u) // want "high http"
	return err
}

// BeforeSave is too.
func (o *order) BeforeSave(tx *gorm.DB) error {
	return audit() // want "high http"
}

func audit() error {
	_, err := http.Post(u, "text/plain", nil)
	return err
}

type invoice struct{ id int }

func (i *invoice) BeforeCreate(tx *gorm.DB) error {
	i.id++
	return nil
}

// okCreate uses a model whose hooks are fast.
func okCreate(db *gorm.DB) error {
	if err := db.Create(&invoice{}).Error; err != nil {
		return err
	}
	return audit()
}

type receipt struct{ id int }

// AfterCreate has a name of gorm's and not its signature.
func (r *receipt) AfterCreate(ctx context.Context) error {
	return audit()
}

func okAfterCreateByHand(ctx context.Context, db *gorm.DB, r *receipt) error {
	if err := db.Create(r).Error; err != nil {
		return err
	}
	return r.AfterCreate(ctx)
}

func gormInBranch(db *gorm.DB, own bool) error {
	if own {
		tx := db.Begin()
		defer tx.Rollback()
		if err := audit(); err != nil { // want "high http"
			return err
		}
		return tx.Commit().Error
	}
	return audit()
}

func gormSavePoint(db *gorm.DB) error {
	tx := db.Begin()
	defer tx.Rollback()
	tx.SavePoint("a")
	if err := tx.Create(nil).Error; err != nil {
		tx.RollbackTo("a")
		audit() // want "high http"
	}
	return tx.Commit().Error
}
